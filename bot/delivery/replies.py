"""Replies to commands and refusals: stored before they are sent, so that a kill neither loses nor repeats one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf
from time import time
from typing import Final, NoReturn

from bot.delivery.channel_queue import Notice
from bot.delivery.outbox import Outbox
from bot.message import Incoming
from bot.platform import Outgoing, Platform, Reader
from bot.store import events
from bot.store.database import Database
from bot.store.events import UndeliveredReply

TAKE_OVER_SECONDS: Final = 3.0  # between two looks for what dead bots left


def address_to_author(incoming: Incoming, message: Outgoing, *, private: bool) -> Outgoing:
    """The message with the event's author as its reader. `private`: nobody else may see it."""
    return replace(message, private=private, reader=Reader(incoming.author.id, incoming.author.name))


def only_author_sees(incoming: Incoming) -> bool:
    """Whether nobody but its author saw the event."""
    return incoming.unseen or incoming.place.private


class Replies:
    """One bot's replies. `name`: the bot's, to tell it from others on the same database; the same after a restart. `dead_after`: seconds
    without a heartbeat after which another is taken for dead now."""

    def __init__(self, database: Database, outbox: Outbox, name: str, dead_after: Callable[[], float]) -> None:
        self._database = database
        self._outbox = outbox
        self._name = name
        self._dead_after = dead_after
        self._began = time()
        self._known: set[str] = set()  # platforms that were attached since
        self._new: asyncio.Queue[Platform] = asyncio.Queue()

    async def run(self) -> NoReturn:
        """On each platform that connects, send the replies that were stored before the start and not sent; and those of bots that are dead.
        Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_over())
            while True:
                self._resume(await self._read((await self._new.get()).name))

    def attached(self, platform: Platform) -> None:
        if platform.name not in self._known:
            self._known.add(platform.name)
            self._new.put_nowait(platform)

    async def was_handled(self, incoming: Incoming) -> bool:
        """Whether the event was handled before."""
        return await self._database.read(events.taken, incoming.place.key, incoming.id)

    async def send(self, incoming: Incoming, message: Outgoing) -> Notice | None:
        """Reply to an event, once. A reply to what everybody saw is shown to everybody. None: it was replied to before."""
        message = address_to_author(incoming, message, private=message.private and only_author_sees(incoming))
        if not await self._take(incoming, message):
            return None
        return self._outbox.send_notice(incoming.place, message, incoming.id)

    async def mark_handled(self, incoming: Incoming) -> None:
        """The event is handled, without a reply."""
        await self._take(incoming, None)

    async def _take(self, incoming: Incoming, reply: Outgoing | None) -> bool:
        return await self._database.write(events.take, incoming.place, incoming.id, self._name, time(), reply)

    async def _read(self, platform: str) -> tuple[UndeliveredReply, ...]:
        return await self._database.read(events.undelivered, platform, self._name, self._began)

    async def _take_over(self) -> NoReturn:
        while True:
            await asyncio.sleep(TAKE_OVER_SECONDS)
            if (dead_after := self._dead_after()) < inf:
                given = self._outbox.connected, self._name, time() - dead_after, dead_after
                self._resume(await self._database.write(events.take_over, *given))

    def _resume(self, left: Iterable[UndeliveredReply]) -> None:
        for undelivered in left:
            reply = replace(undelivered.reply, final=True)  # what would have changed it ended with the last run
            self._outbox.send_notice(undelivered.place, reply, undelivered.event, unsure_since=undelivered.at)
