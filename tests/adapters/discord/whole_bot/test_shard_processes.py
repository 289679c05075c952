"""Discord's servers spread over processes on one PostgreSQL; a third that names them all goes on for whichever is killed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.adapters.discord.whole_bot.test_shards import two_servers
from tests.adapters.standin import StandIn
from tests.adapters.strict.discord.api import TOKEN, DiscordApi, serving
from tests.adapters.strict.discord.redirected import ADDRESS
from tests.adapters.strict.discord.whole import ended
from tests.adapters.strict.discord.world import World
from tests.adapters.strict.program import OWED, Program
from tests.bot.postgres import Server

pytestmark = pytest.mark.sweep  # nine CPU seconds: test_shards.py has the same within one process
TAKEN_OVER_SECONDS = 15.0
CONFIG = """
[discord]
shards = 2
serve_shards = {shards}
[engine]
url = "{engine}/v1"
[web]
enabled = false
[access]
everyone = true
[store]
pictures = "{pictures}"
[limits]
burst = 1000
cooldown_seconds = 0
questions_per_person = 1000
"""


@dataclass
class Shared:
    """`bots`: of shard 0, of shard 1, and one that names both; all on the database `url`."""

    bots: tuple[Program, Program, Program]
    servers: tuple[World, World]
    standin: StandIn
    database: Server
    url: str

    async def settled(self, *answers: int) -> None:
        """Once so many have ended in each server and nothing is owed: there are no more, and all say what the engine said."""
        await self.bots[2].until(lambda: self.has(*answers) and self.database.ask(self.url, OWED) == "0")
        assert all(words.endswith("One goose.") for said in self.said() for words in said)

    def has(self, *answers: int) -> bool:
        return [len(said) for said in self.said()] == [*answers]

    def said(self) -> list[list[str]]:
        return [[each.content for each in world.said() if ended(each)] for world in self.servers]

    def asked(self) -> list[str]:
        """The questions as the engine was asked them, in alphabetical order."""
        return sorted(str(each["messages"][-1]["content"]) for each in self.standin.requests)


@asynccontextmanager
async def shared(database: Server, url: str, home: Path) -> AsyncIterator[Shared]:
    """The two serve and the third stands by, until the end of the block."""
    api, standin = DiscordApi(), StandIn(words=("One ", "goose."), pause=0.05)
    servers = await two_servers(api)
    async with serving(api) as address, standin.serving() as engine, AsyncExitStack() as stack:
        environ = {"GANDER_DISCORD_TOKEN": TOKEN, "GANDER_STORE_URL": url, ADDRESS: address}
        bots = []
        for number, shards in enumerate(([0], [1], [0, 1])):
            folder = home / str(number)
            folder.mkdir()
            (folder / "gander.toml").write_text(CONFIG.format(shards=shards, engine=engine, pictures=home / "pictures"))
            program = ("-m", "tests.adapters.strict.discord.redirected")
            bot = await stack.enter_async_context(Program(home=folder, environ=environ, program=program, log=folder / "log"))
            bots.append(bot)
            if shards != [0, 1]:
                await bot.until(partial(connected, api, shards[0]))
        await bots[0].until(lambda: bool(api.called("PUT", "/applications/*/commands")))
        await bots[2].until(lambda: (home / "2" / "log").read_bytes().count(b"standing_by") == 2)
        yield Shared((bots[0], bots[1], bots[2]), servers, standin, database, url)


def connected(api: DiscordApi, shard: int) -> bool:
    """Whether somebody has said that it serves this shard."""
    return shard in api.gateway.shards and bool(api.gateway.shards[shard].identified)


async def test_every_event_is_handled_once_and_a_killed_process_s_shard_taken_over(
    postgres_server: Server, postgres_url: str, tmp_path: Path
) -> None:
    async with shared(postgres_server, postgres_url, tmp_path) as all_three:
        pond, lake = all_three.servers
        first, second, spare = all_three.bots
        for number in range(5):
            pond.asks(f"pond {number}?")
            lake.asks(f"lake {number}?")
            pond.gives("ask", prompt=f"pond aside {number}?")
        await all_three.settled(10, 5)
        for number, victim in enumerate((first, second), start=1):
            victim.kill()
            killed = time.monotonic()
            for world, name in zip(all_three.servers, ("pond", "lake"), strict=True):
                world.asks(f"{name} after {number}?")
            await spare.until(partial(all_three.has, 10 + number, 5 + number))
            assert time.monotonic() - killed < TAKEN_OVER_SECONDS
        await all_three.settled(12, 7)
        expected = [f"{name} {number}?" for name in ("lake", "pond", "pond aside") for number in range(5)]
        expected += [f"{name} after {number}?" for name in ("lake", "pond") for number in (1, 2)]
        assert all_three.asked() == sorted(expected)
