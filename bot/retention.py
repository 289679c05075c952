"""Deletes messages older than the operator's retention period, and picture files that a crash left without a row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import time

import structlog

from bot.store import deliveries, events, forgetting, graph, owed_forgets, read_marks, updates
from bot.store.database import Database
from bot.store.pictures import PictureFiles

SWEEP_SECONDS = 3600.0
DAY_SECONDS = 86_400.0
EVENT_SECONDS = 2 * DAY_SECONDS  # after which no platform sends an event again
UPDATE_SECONDS = 30 * DAY_SECONDS  # in which the operator may look at updates that could not be read
SEEN_SECONDS = 90 * DAY_SECONDS  # after which nobody asks anything in a channel where nothing was said
EXPORT_SECONDS = DAY_SECONDS  # after which the exports of demos have reached whoever asked
NOTICE_SECONDS = 30 * DAY_SECONDS  # after which nobody asks whether a message was one of our replies
ORPHAN_SECONDS = DAY_SECONDS  # a file is saved before its row: a younger one may still get its row

log = structlog.get_logger(__name__)


class Retention:
    """Deletes what has expired, once an hour. `days`: of messages; 0 keeps them for ever. `exports`: the folder of written demos."""

    def __init__(self, database: Database, files: PictureFiles, exports: Path, days: float, clock: Callable[[], float] = time) -> None:
        self._database = database
        self._files = files
        self._exports = exports
        self._days = days
        self._clock = clock

    async def run(self) -> None:
        """Sweep every SWEEP_SECONDS, until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Delete everything that has expired now."""
        messages = await self._expire() if self._days else 0
        await self._database.write(events.expire, self._clock() - EVENT_SECONDS)
        await self._database.write(read_marks.expire, self._clock() - SEEN_SECONDS)
        await self._database.write(updates.expire, self._clock() - UPDATE_SECONDS)
        await self._database.write(deliveries.expire_notices, self._clock() - NOTICE_SECONDS)
        if lost := await self._database.write(owed_forgets.expire, self._clock() - owed_forgets.KEPT_SECONDS):
            log.warning("engines_given_up", engines=lost, reason="no bot asked them for long: what they keep of deleted pictures stays")
        if unshown := await self._database.write(forgetting.sweep_unshown):
            await self._files.delete(unshown)
        owned = await self._database.read(graph.all_pictures)
        await asyncio.to_thread(delete_old, self._exports, self._clock() - EXPORT_SECONDS)
        orphans = await self._files.prune(owned, self._clock() - ORPHAN_SECONDS)
        await self._database.purge()
        if messages or orphans:
            log.info("swept", messages=messages, orphans=orphans)

    async def _expire(self) -> int:
        before, messages = self._clock() - self._days * DAY_SECONDS, 0
        while True:
            expired, sha256s = await self._database.write(forgetting.expire, before)
            if expired:
                await self._files.delete(sha256s)
            messages += expired
            if expired < forgetting.BATCH:
                return messages


def delete_old(folder: Path, before: float) -> None:
    """Delete the files that were written before this Unix time. An export holds what people may want forgotten."""
    for path in folder.glob("*"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
