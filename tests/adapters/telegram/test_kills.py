"""`gander run` on Telegram, killed with SIGKILL at the worst moments: nothing is lost, nothing is answered twice."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.adapters.standin import StandIn
from tests.adapters.telegram.server import TOKEN, BotApi, serving
from tests.adapters.telegram.world import ANN, ME, Json

SETTLED_SECONDS = 0.7  # without anything more being said, after which a second copy would have come


@dataclass
class Gander:
    """The program, started anew after each kill."""

    home: Path
    api: BotApi
    standin: StandIn

    async def __aenter__(self) -> Self:
        arguments = (sys.executable, "-P", "-m", "adapters", "run", "--config", str(self.home / "gander.toml"))
        environ = os.environ | {"GANDER_HOME": str(self.home), "GANDER_TELEGRAM_TOKEN": TOKEN}
        self._process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.DEVNULL, env=environ)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """At once: no handler runs, nothing is flushed."""
        self._process.kill()

    async def restart(self) -> None:
        """When it is dead."""
        async with asyncio.timeout(30):
            await self._process.wait()
        await self.__aenter__()

    def said(self, chat: int) -> list[str]:
        return [each["text"] for (where, _), each in self.api.world.messages.items() if where == chat and each["from"] == ME]

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not seen():  # noqa: ASYNC110  # another process decides
                await asyncio.sleep(0.02)

    async def settled(self, chat: int, number: int) -> list[str]:
        """What it has said there once it said so much, and a little later."""
        await self.until(lambda: len(self.said(chat)) >= number and not any(self.api.world.reactions.values()))
        await asyncio.sleep(SETTLED_SECONDS)
        return self.said(chat)


@asynccontextmanager
async def gander(home: Path) -> AsyncIterator[Gander]:
    api, standin = BotApi(), StandIn(words=("One ", "goose."), pause=0.05)
    async with serving(api) as server, standin.serving() as engine:
        tables = f'[telegram]\nserver = "{server}"\n[engine]\nurl = "{engine}/v1"\n[web]\nenabled = false\n[access]\neveryone = true\n'
        (home / "gander.toml").write_text(tables)
        async with Gander(home, api, standin) as running:
            yield running


async def test_nothing_is_lost_or_said_twice_wherever_the_kill_falls(tmp_path: Path) -> None:
    async with gander(tmp_path) as bot:
        chat, lost, unheard = bot.api.world.private(), bot.api.before, bot.api.after
        assert await _killed(lost, bot, chat, "What?", 1) == ["One goose."]
        assert await _killed(unheard, bot, chat, "And now?", 2) == ["One goose."] * 2
        assert len(bot.standin.requests) == 2
        said = await _killed(lost, bot, chat, "/temperature 0.7", 3)
        assert said[2:] == ["temperature is now 0.7 for this channel."]
        said = await _killed(unheard, bot, chat, "/again", 4)
        assert said[3:] == ["One goose.\n\ntemperature 0.7"]
        assert len(bot.standin.requests) == 3


async def test_a_placeholder_in_a_group_is_not_left_behind(tmp_path: Path) -> None:
    async with gander(tmp_path) as bot:
        group = bot.api.world.group()
        assert await _killed(bot.api.after, bot, group, "@gander_bot what?", 1) == ["One goose."]
        assert bot.api.called("deleteMessage") != []


async def _killed(doings: dict[str, list[Callable[[], None]]], bot: Gander, chat: int, text: str, number: int) -> list[str]:
    """Somebody says this; the bot is killed as it sends its next message, and started again. All that it has said then."""
    doings["sendMessage"] = [bot.kill]
    await bot.api.world.say(chat, text, by=ANN)
    await bot.restart()
    return await bot.settled(chat, number)


async def test_a_kill_in_the_middle_of_an_answer_loses_no_update(tmp_path: Path) -> None:
    async with gander(tmp_path) as bot:
        chat = bot.api.world.private()
        bot.api.after["sendMessageDraft"] = [bot.kill]
        first: Json = await bot.api.world.say(chat, "in the middle?")
        await bot.until(lambda: bool(bot.api.called("sendMessageDraft")))
        await bot.api.world.say(chat, "while it was dead?")
        await bot.restart()
        assert await bot.settled(chat, 2) == ["One goose."] * 2
    replied = [each["reply_to_message"]["message_id"] for each in bot.api.world.messages.values() if each["from"] == ME]
    assert len(set(replied)) == 2
    assert first["message_id"] in replied
