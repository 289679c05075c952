"""A whole bot on a simulated Discord: everything real but the platform's servers and the engine's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import discord
from PIL import Image
from simcord.actors import MemberActor
from simcord.results import InteractionResult

from bot.api import Remembered, Ticket
from bot.arrival import Arrival
from bot.config.schema import AccessOptions, LimitOptions
from bot.media.intake import Sampler
from bot.message import Author, Incoming, Place
from bot.platform import Platform
from bot.store.database import sqlite_url
from engine.api import ChatRequest
from tests.adapters.discord.rig import Server, client_of, on_server
from tests.bot.hostile import encode
from tests.bot.rig import EVERYBODY, UNHURRIED, Rig, ScriptedEngine, echo, running

Outcome = TypeVar("Outcome")
GOOSE = encode(Image.new("RGB", (20, 10), "white"), "PNG")
DUCK = encode(Image.new("RGB", (20, 10), "brown"), "PNG")


@dataclass
class Apart:
    """bot.api.Bot that runs outside of the simulation, as the real one does: simcord waits for what the client begins."""

    platforms: list[Platform] = field(default_factory=list)
    rig: Rig | None = None
    context: Context = field(default_factory=Context)

    def attach(self, platform: Platform) -> None:
        self.platforms.append(platform)
        if self.rig is not None:
            self.rig.core.attach(platform)

    def detach(self, platform: Platform) -> None:
        self.platforms.remove(platform)

    def arriving(self, place: Place, event: str, author: Author) -> AbstractContextManager[Arrival]:
        return self._core.core.arriving(place, event, author)

    async def handle(self, incoming: Incoming) -> None:
        await self.outside(self._core.core.handle(incoming))

    async def moved(self, old: Place, new: Place) -> None:
        await self.outside(self._core.core.moved(old, new))

    async def closed(self, place: Place, *, server: bool = False) -> None:
        await self.outside(self._core.core.closed(place, server=server))

    async def joined(self, place: Place, author: Author, locale: str | None) -> None:
        await self.outside(self._core.core.joined(place, author, locale))

    async def withdraw(self, place: Place, message_id: str, *, answers: bool) -> tuple[str, ...]:
        return await self.outside(self._core.core.withdraw(place, message_id, answers=answers))

    async def caps(self, place: Place, author: Author) -> Mapping[str, float]:
        return await self.outside(self._core.core.caps(place, author))

    async def keep_ticket(self, place: Place, event: str, data: Mapping[str, str | int], seconds: float) -> None:
        await self.outside(self._core.core.keep_ticket(place, event, data, seconds))

    async def tickets(self, platform: str) -> tuple[Ticket, ...]:
        return await self.outside(self._core.core.tickets(platform)) if self.rig else ()

    async def keep_seen(self, events: Mapping[Place, str]) -> None:
        await self.outside(self._core.core.keep_seen(events))

    async def last_seen(self, platform: str) -> Mapping[Place, str]:
        return await self.outside(self._core.core.last_seen(platform)) if self.rig else {}

    async def history(self, place: Place, limit: int = 200) -> tuple[Remembered, ...]:
        return await self._core.core.history(place, limit)

    async def picture(self, place: Place, sha256: str) -> Path | None:
        return await self._core.core.picture(place, sha256)

    async def outside(self, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        return await self.context.copy().run(asyncio.create_task, work)

    @property
    def _core(self) -> Rig:
        if self.rig is None:
            raise LookupError("the bot has not begun")
        return self.rig


@dataclass
class Whole:
    server: Server
    bot: Apart
    rig: Rig
    engine: ScriptedEngine

    async def until(self, seen: Callable[[], bool]) -> None:
        await self.rig.until(seen)

    async def says(self, words: str) -> None:
        """Wait until a message of the bot ends up with these words."""
        await self.rig.until(lambda: any(words in message.content for message in self.server.said()))

    async def told(self, result: InteractionResult) -> str:
        """What an interaction's answer says, to this person alone."""
        await self.until(lambda: result.response is not None and bool(result.response.content))
        assert result.response is not None
        assert result.ephemeral
        return result.response.content

    async def asks(self, text: str, *, by: MemberActor | None = None, **more: Any) -> discord.Message:
        """Somebody (Ann) mentions the bot with these words."""
        server = self.server
        return await (by or server.ann).send(server.channel, f"{server.mention} {text}", **more)

    async def ends(self, count: int) -> list[str]:
        """Wait until so many answers have ended; what they say. An answer that has ended can be asked again."""
        await self.rig.until(lambda: len(self._ended()) >= count)
        return self._ended()

    async def restart(self) -> None:
        """The connection's process dies and a new one comes; the server and what was said stay."""
        server, bot = self.server, self.bot
        bot.platforms.clear()
        server.client = client_of(bot)(server.cdn)
        await server.env.restart_bot(server.client)
        bot.attach(server.client.platform)

    def _ended(self) -> list[str]:
        return [message.content for message in self.server.said() if "Again" in labels(message)]


def pictures_in(request: ChatRequest) -> list[str]:
    """The addresses of the pictures that the engine was shown."""
    parts = [part for message in request.messages if not isinstance(message.content, str) for part in message.content]
    return [part.image_url.url for part in parts if part.type == "image_url"]


def labels(message: discord.Message) -> list[str | None]:
    """What is written on a message's buttons."""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return [button.label for row in rows for button in row.children if isinstance(button, discord.Button)]


@asynccontextmanager
async def whole_bot(
    home: Path,
    reply: Callable[[ChatRequest], Sequence[str | Exception]] = echo,
    *,
    access: Callable[[Server], AccessOptions] = lambda server: EVERYBODY,
    limits: LimitOptions = UNHURRIED,
    engine: ScriptedEngine | None = None,
    films: Sampler | None = None,
    **options: Any,
) -> AsyncIterator[Whole]:
    bot, engine = Apart(), engine or ScriptedEngine(reply)
    engine.gate.set()
    async with on_server(client_of(bot, limits=limits, **options)) as server:
        with server.env.time_context():
            bot.context = copy_context()
        # Entered in the context in which the tasks of the bot speak to the simulation.
        whole = running(sqlite_url(home / "gander.db"), home, engine, access=access(server), limits=limits, films=films)
        bot.rig = await bot.outside(_enter(whole))
        for platform in bot.platforms:
            bot.rig.core.attach(platform)
        try:
            yield Whole(server, bot, bot.rig, engine)
        finally:
            await server.env.settle()
            await bot.outside(_leave(whole))


async def _enter(manager: Any) -> Rig:
    entered: Rig = await manager.__aenter__()
    return entered


async def _leave(manager: Any) -> None:
    await manager.__aexit__(None, None, None)
