"""Takes updates, each by itself: it may be confirmed once it is stored, or kept aside because it takes long or can't be read."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from telegram import Bot, Update

from adapters.telegram.inbox import Inbox
from adapters.telegram.places import NAME
from bot.store.update_inbox import UpdateInbox

BUSY_SECONDS = 0.25  # so long an update may hold up those behind it before it is kept aside
NUMBER = "update_id"

Raw = Mapping[str, Any]

log = structlog.get_logger(__name__)


class Receiver:
    """Handles updates in tasks, which live inside `open`."""

    def __init__(self, client: Bot, inbox: Inbox, aside: UpdateInbox) -> None:
        self._client = client
        self._inbox = inbox
        self._aside = aside
        self._work: dict[int, asyncio.Task[None]] = {}
        self._kept: set[int] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Start, with the updates that were set aside before a restart."""
        try:
            for kept in await self._aside.pending(NAME):
                self._kept.add(kept.number)
                self._begin(kept.number, kept.update)
            yield
        finally:
            for task in self._work.values():
                task.cancel()
            await asyncio.gather(*self._work.values(), return_exceptions=True)

    async def take(self, raw: Raw) -> None:
        """Handle one update. Returns when it is stored, so that a kill loses nothing. Raises what the store raises."""
        number = raw[NUMBER]
        work = self._work.get(number) or self._begin(number, raw)
        done, _ = await asyncio.wait({work}, timeout=BUSY_SECONDS)
        if done:
            work.result()
        elif number not in self._kept:
            self._kept.add(number)
            await self._aside.keep(NAME, number, raw)

    def _begin(self, number: int, raw: Raw) -> asyncio.Task[None]:
        task = self._work[number] = asyncio.create_task(self._deal_with(number, raw))
        return task

    async def _deal_with(self, number: int, raw: Raw) -> None:
        reading = asyncio.create_task(self._read(raw))
        try:
            await asyncio.wait({reading})
        finally:
            reading.cancel()
        if error := reading.exception():
            await self._aside.keep(NAME, number, raw, fault=f"{type(error).__name__}: {error}")
            kinds = sorted(str(kind) for kind in raw if kind != NUMBER)
            log.error("an update can't be read; it is kept aside and the next ones go on", update=number, kinds=kinds, fault=_where(error))
        elif number in self._kept:
            await self._aside.release(NAME, number)
        self._kept.discard(number)
        self._work.pop(number, None)

    async def _read(self, raw: Raw) -> None:
        await self._inbox.take(Update.de_json(dict(raw), self._client))


def _where(error: BaseException) -> str:
    """What failed and where, without its words: they may be a person's."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
