"""`gander run` on Telegram, killed with SIGKILL at the worst moments: nothing is lost, nothing is answered twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.adapters.standin import StandIn
from tests.adapters.strict.program import Program
from tests.adapters.strict.telegram.server import TOKEN, BotApi, serving
from tests.adapters.strict.telegram.world import ANN, BOB, ME, Json

SETTLED_SECONDS = 0.7  # without anything more being said, after which a second copy would have come


@dataclass(kw_only=True)
class Gander(Program):
    api: BotApi
    standin: StandIn

    def said(self, chat: int) -> list[str]:
        return [each["text"] for (where, _), each in self.api.world.messages.items() if where == chat and each["from"] == ME]

    def owes_nothing(self) -> bool:
        return super().owes_nothing() and not any(self.api.world.reactions.values())

    async def settled(self, chat: int, number: int) -> list[str]:
        """What it has said there once it said so much, and a little later."""
        await self.until(lambda: len(self.said(chat)) >= number and self.owes_nothing())
        await asyncio.sleep(SETTLED_SECONDS)
        return self.said(chat)


@asynccontextmanager
async def gander(home: Path) -> AsyncIterator[Gander]:
    api, standin = BotApi(), StandIn(words=("One ", "goose."), pause=0.05)
    async with serving(api) as server, standin.serving() as engine:
        unhurried = "[limits]\nburst = 1000\ncooldown_seconds = 0\nquestions_per_person = 1000\n"
        tables = f'[telegram]\nserver = "{server}"\n[engine]\nurl = "{engine}/v1"\n[web]\nenabled = false\n[access]\neveryone = true\n'
        (home / "gander.toml").write_text(tables + unhurried)
        async with Gander(home=home, environ={"GANDER_TELEGRAM_TOKEN": TOKEN}, api=api, standin=standin) as running:
            yield running


async def test_nothing_is_lost_or_said_twice_wherever_the_kill_falls(tmp_path: Path) -> None:
    async with gander(tmp_path) as bot:
        chat, lost, unheard = bot.api.world.private(), bot.api.before, bot.api.after
        assert await _killed(lost, bot, chat, "What?", 1) == ["One goose."]
        assert await _killed(unheard, bot, chat, "And now?", 2) == ["One goose."] * 2
        assert len(bot.standin.requests) == 2
        said = await _killed(lost, bot, chat, "/temperature 0.7", 3)
        assert said[2:] == ["temperature is now 0.7 for this chat."]
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


@pytest.mark.sweep  # tests/chaos/ plays a shorter round, with more that goes wrong
async def test_of_many_questions_and_commands_each_is_answered_once_over_kills_at_random(tmp_path: Path) -> None:
    draw = random.Random(20261122)
    async with gander(tmp_path) as bot:
        world = bot.api.world
        bot.api.group_budget = (1_000, 1.0)  # a minute's wait would prove nothing here
        chats = ((world.private(ANN), ANN), (world.private(BOB), BOB), (world.group(), ANN))
        asked: list[tuple[int, int]] = []

        async def ask() -> None:
            for number in range(12):
                chat, person = draw.choice(chats)
                text = draw.choice([f"@gander_bot {number}?", f"@gander_bot {number}!", f"/temperature 0.{number}"])
                asked.append((chat, (await world.say(chat, text, by=person))["message_id"]))
                await asyncio.sleep(draw.uniform(0, 0.8))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask())
            tasks.create_task(_kill_at_random(bot, draw))
        await bot.until(lambda: _answered(bot.api).keys() >= set(asked) and bot.owes_nothing())
        await asyncio.sleep(SETTLED_SECONDS)
        assert _answered(bot.api) == Counter(asked)
        assert not any(each["text"] == "…" for each in world.messages.values())


async def _kill_at_random(bot: Gander, draw: random.Random) -> None:
    """As a call arrives or when it is carried out and not answered; or just so, when no such call comes."""
    for _ in range(4):
        await asyncio.sleep(draw.uniform(0.3, 1.0))
        doings = draw.choice([bot.api.before, bot.api.after])
        doings[draw.choice(["sendMessage", "editMessageText", "getUpdates", "sendMessageDraft"])] = [bot.kill]
        with suppress(TimeoutError):
            await bot.ended(seconds=1.0)
        doings.clear()
        bot.kill()
        await bot.restart()


def _answered(api: BotApi) -> Counter[tuple[int, int]]:
    """By chat and message: how many replies of the bot's there are."""
    ours = [(chat, each) for (chat, _), each in api.world.messages.items() if each["from"] == ME and "reply_to_message" in each]
    return Counter((chat, int(each["reply_to_message"]["message_id"])) for chat, each in ours)
