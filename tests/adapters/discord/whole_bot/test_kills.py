"""`gander run` on Discord, killed with SIGKILL at the worst moments: nothing is lost, nothing is said twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.adapters.standin import StandIn
from tests.adapters.strict.discord.api import TOKEN, DiscordApi, Failure, serving
from tests.adapters.strict.discord.redirected import ADDRESS
from tests.adapters.strict.discord.whole import ended
from tests.adapters.strict.discord.world import World
from tests.adapters.strict.program import Program

MESSAGES = "/channels/*/messages"
CONFIG = """
[engine]
url = "{engine}/v1"
[web]
enabled = false
[access]
everyone = true
[limits]
burst = 1000
cooldown_seconds = 0
questions_per_person = 1000
"""


@dataclass(kw_only=True)
class Gander(Program):
    api: DiscordApi
    world: World
    standin: StandIn

    async def settled(self, number: int) -> list[str]:
        """What stands there once so much has ended and nothing is owed any more."""
        await self.until(lambda: len([each for each in self.world.said() if ended(each)]) >= number and self.owes_nothing())
        return [each.content for each in self.world.said()]


@asynccontextmanager
async def gander(home: Path) -> AsyncIterator[Gander]:
    api, standin = DiscordApi(), StandIn(words=("One ", "goose."), pause=0.05)
    async with serving(api) as server, standin.serving() as engine:
        (home / "gander.toml").write_text(CONFIG.format(engine=engine))
        environ = {"GANDER_DISCORD_TOKEN": TOKEN, ADDRESS: server}
        program = ("-m", "tests.adapters.strict.discord.redirected")
        world = World(api.backend)
        async with Gander(home=home, environ=environ, program=program, api=api, world=world, standin=standin) as running:
            await running.until(lambda: running.api.gateway.feeder is not None)
            yield running


@pytest.mark.parametrize("done", [False, True], ids=["before it is carried out", "before its answer is heard"])
async def test_a_kill_at_the_first_send_loses_and_doubles_nothing(tmp_path: Path, done: bool) -> None:
    async with gander(tmp_path) as bot:
        held = bot.api.hold("POST", MESSAGES) if not done else bot.api.mute("POST", MESSAGES)
        bot.world.asks("how many geese?")
        await bot.until(lambda: bool(bot.api.called("POST", MESSAGES)))
        bot.kill()
        await bot.ended()
        held.set()
        await bot.restart()
        assert await bot.settled(1) == ["One goose."]


async def test_a_bad_gateway_and_a_kill_in_one(tmp_path: Path) -> None:
    async with gander(tmp_path) as bot:
        bot.api.fail("POST", MESSAGES, Failure(done=True, cut=True))
        held = bot.api.mute("PATCH", f"{MESSAGES}/*")
        bot.world.asks("how many geese?")
        await bot.until(lambda: bool(bot.api.called("PATCH", f"{MESSAGES}/*")) or bool(bot.world.said()))
        bot.kill()
        await bot.ended()
        held.set()
        await bot.restart()
        assert await bot.settled(1) == ["One goose."]
