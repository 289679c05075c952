"""What the bot says by itself, to commands and in refusing: stored before it is said, so that a kill loses and repeats nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from time import time
from typing import NoReturn

from bot.delivery.outbox import Outbox
from bot.message import Incoming
from bot.ports import Outgoing, Platform, Reader
from bot.store import events
from bot.store.database import Database


def address_to_author(incoming: Incoming, message: Outgoing, *, private: bool) -> Outgoing:
    """The message, for whoever caused the event: for them alone, or not."""
    return replace(message, private=private, reader=Reader(incoming.author.id, incoming.author.name))


def only_author_sees(incoming: Incoming) -> bool:
    """Whether nobody else saw what is replied to."""
    return incoming.unseen or incoming.place.private


class Replies:
    """One bot's replies. `name` tells it from others on the same database, and outlasts a restart."""

    def __init__(self, database: Database, outbox: Outbox, name: str) -> None:
        self._database = database
        self._outbox = outbox
        self._name = name
        self._began = time()
        self._known: set[str] = set()  # platforms that were attached since
        self._new: asyncio.Queue[Platform] = asyncio.Queue()

    async def run(self) -> NoReturn:
        """Say on each platform what was owed there before the start. Until cancelled."""
        while True:
            await self._resume(await self._new.get())

    def attached(self, platform: Platform) -> None:
        if platform.name not in self._known:
            self._known.add(platform.name)
            self._new.put_nowait(platform)

    async def was_handled(self, incoming: Incoming) -> bool:
        """Whether the event was dealt with before."""
        return await self._database.read(events.taken, incoming.place.key, incoming.id)

    async def send(self, incoming: Incoming, message: Outgoing) -> None:
        """Reply to an event, once. What was asked where all could see it is answered there."""
        message = address_to_author(incoming, message, private=message.private and only_author_sees(incoming))
        if await self._take(incoming, message):
            self._outbox.send_notice(incoming.place, message, incoming.id)

    async def mark_handled(self, incoming: Incoming) -> None:
        """The event is dealt with."""
        await self._take(incoming, None)

    async def _take(self, incoming: Incoming, reply: Outgoing | None) -> bool:
        return await self._database.write(events.take, incoming.place, incoming.id, self._name, time(), reply)

    async def _resume(self, platform: Platform) -> None:
        for owed in await self._database.read(events.undelivered, platform.name, self._name, self._began):
            self._outbox.send_notice(owed.place, owed.reply, owed.event, unsure_since=owed.at)
