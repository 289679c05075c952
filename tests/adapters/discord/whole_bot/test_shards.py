"""Several bots on one PostgreSQL share Discord's servers: each server is served once, and another bot goes on in a dead one's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.discord import adapter
from adapters.run import running
from adapters.services import Services, open_services
from bot.config.schema import Config
from bot.dispatch import lease
from tests.adapters.strict.discord.api import DiscordApi, serving
from tests.adapters.strict.discord.redirected import redirect
from tests.adapters.strict.discord.whole import ended
from tests.adapters.strict.discord.world import World
from tests.bot.rig import UNHURRIED, ScriptedEngine, asked, echo, spoken


@dataclass
class Bots:
    """A strict Discord whose `servers` are of shard 0 and 1 of two."""

    api: DiscordApi
    servers: tuple[World, World]
    url: str
    home: Path

    @asynccontextmanager
    async def bot(self, name: str, *shards: int) -> AsyncIterator[tuple[Services, ScriptedEngine]]:
        """One that serves these shards, until the end of the block, which is a kill."""
        engine = ScriptedEngine(echo)
        engine.gate.set()
        told = {
            "discord": {"token": self.api.token, "shards": 2, "serve_shards": list(shards)},
            "access": {"everyone": True},
            "limits": UNHURRIED.model_dump(),
            "store": {"url": self.url, "pictures": self.home / "pictures"},
        }
        async with (
            open_services(Config.model_validate(told), self.home / name, [engine], name) as services,
            running(services, {"discord": partial(adapter.run, services, lambda address: None)}),
        ):
            yield services, engine

    def said(self) -> list[list[str]]:
        """What has been said for good in each of the servers."""
        return [[each.content for each in world.said() if ended(each)] for world in self.servers]


async def two_servers(api: DiscordApi) -> tuple[World, World]:
    """One of each of two shards."""
    found = dict[int, World]()
    while len(found) < 2:
        world = World(api.backend)
        found.setdefault((world.guild.id >> 22) % 2, world)
        await asyncio.sleep(0.001)  # ids are made of the time
    return found[0], found[1]


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not seen():  # noqa: ASYNC110  # what is seen is in no one's hands to announce
            await asyncio.sleep(0.01)


@pytest.fixture
async def bots(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bots]:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "DEAD_SECONDS", 6.0)  # both share a process, which a busy machine holds up
    api = DiscordApi()
    servers = await two_servers(api)
    async with serving(api) as address:
        redirect(address, monkeypatch.setattr)
        yield Bots(api, servers, postgres_url, tmp_path)


async def test_each_server_is_served_once_and_discord_is_told_of_the_commands_once(bots: Bots) -> None:
    pond, lake = bots.servers
    with capture_logs() as logged:
        async with bots.bot("two", 1) as (two, second), bots.bot("three", 0) as (three, third):
            await until(lambda: two.bot.served("discord") and three.bot.served("discord"))
            async with bots.bot("spare", 0) as (spare, fourth):
                await until(lambda: any(each["event"] == "standing_by" and "shard 0 of 2" in each["duty"] for each in logged))
                assert not spare.bot.served("discord")
                pond.asks("how many geese?")
                lake.asks("how many ducks?")
                await until(lambda: bots.said() == [["You asked: how many geese?"], ["You asked: how many ducks?"]])
                pond.gives("ask", prompt="and swans?")
                lake.gives("ask", prompt="and eels?")
                await until(lambda: [len(each) for each in bots.said()] == [2, 2])
                assert [[asked(each) for each in engine.requests] for engine in (third, second, fourth)] == [
                    ["how many geese?", "and swans?"],
                    ["how many ducks?", "and eels?"],
                    [],
                ]
                assert len(bots.api.called("PUT", "/applications/*/commands")) == 1


async def test_what_a_dead_bot_left_and_missed_is_answered_once_by_the_next(bots: Bots) -> None:
    pond, _ = bots.servers
    async with bots.bot("spare", 1) as (_, other):
        async with bots.bot("one", 0) as (one, first):
            await until(lambda: one.bot.served("discord"))
            pond.asks("before?")
            await until(lambda: bots.said()[0] == ["You asked: before?"])
            first.gate.clear()
            pond.asks("during?")
            await until(lambda: first.running == 1)
        pond.asks("after?")
        async with bots.bot("next", 0) as (_, third):
            await until(lambda: len(bots.said()[0]) == 3)
            assert sorted(bots.said()[0]) == [f"You asked: {each}?" for each in ("after", "before", "during")]
            during, after = sorted((each for engine in (other, third) for each in engine.requests), key=asked, reverse=True)
            assert (asked(during), asked(after)) == ("during?", "after?")
            assert "You asked: during?" in spoken(after)  # which was made first
