"""A whole bot on the strict Discord: the very adapter that `gander run` runs, from its login on; the engine says what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from simcord.backend.models import Channel, Message, User

from adapters.discord import adapter
from adapters.run import running
from adapters.services import Services, open_services
from bot.config.schema import Config
from tests.adapters.strict.discord.api import DiscordApi, serving
from tests.adapters.strict.discord.redirected import redirect
from tests.adapters.strict.discord.world import World, buttons
from tests.bot.rig import UNHURRIED, ScriptedEngine, echo


@dataclass
class Whole:
    api: DiscordApi
    world: World
    engine: ScriptedEngine
    tasks: set[asyncio.Task[None]]

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not seen():
                for task in self.tasks:
                    if task.done():
                        await task  # tells why the bot ended
                await asyncio.sleep(0.01)

    async def ends(self, number: int = 1, channel: Channel | None = None) -> list[str]:
        """What the bot has said there: once so many messages have no Stop button, and all have words."""
        await self.until(lambda: len([each for each in self.world.said(channel) if ended(each)]) >= number)
        return [each.content for each in self.world.said(channel)]

    async def private_replies(self, person: User, number: int = 1) -> list[str]:
        """What the bot has said to this person alone, once there are so many."""
        await self.until(lambda: len([each for each in self.world.private_messages(person) if ended(each)]) >= number)
        return [each.content for each in self.world.private_messages(person)]


def ended(message: Message) -> bool:
    """Whether it is neither thinking nor growing."""
    growing = any("stop" in str(each.get("custom_id")) for each in buttons(message))
    return message.content not in {"", "…"} and not growing and not message.flags & (1 << 7)


@asynccontextmanager
async def whole(
    home: Path,
    engine: ScriptedEngine | None = None,
    world: World | None = None,
    api: DiscordApi | None = None,
    beside: Mapping[str, Callable[[Services], Coroutine[None, None, None]]] | None = None,
    **more: Any,
) -> AsyncIterator[Whole]:
    """`adapters.discord` as `gander run` runs it, until the end of the block. Stopped with another `api` of before, it is a restart."""
    api, engine = api or DiscordApi(), engine or ScriptedEngine(echo)
    world = world or World(api.backend)
    engine.gate.set()
    options = {"discord": {"token": api.token}, "access": {"everyone": True}, "limits": UNHURRIED.model_dump(), **more}
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with serving(api) as address:
            redirect(address, monkeypatch.setattr)
            async with open_services(Config.model_validate({"media": {"read_writing": False}, **options}), home, [engine]) as services:
                work = {name: partial(run, services) for name, run in (beside or {}).items()}
                async with running(services, {"discord": partial(adapter.run, services, lambda address: None), **work}) as tasks:
                    bot = Whole(api, world, engine, tasks)
                    await bot.until(lambda: services.bot.served("discord") and bool(api.called("PUT", "/applications/*/commands")))
                    yield bot
