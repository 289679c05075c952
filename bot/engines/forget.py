"""Tells engines what was deleted: of pictures and conversations they keep what lets them answer a follow-up sooner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NoReturn, Protocol

import structlog

from bot.background import start
from bot.engines.engine import Engine
from bot.errors import BotError

AWAY_SECONDS: Final = 5.0  # between two tries, while an engine is away
AFTER_SECONDS: Final = 1.0  # after the end of an answer, which an engine hears of by another connection
MOST: Final = 10_000  # pictures of one call

log = structlog.get_logger(__name__)


class KnownEngine(Protocol):
    """An engine as the dispatcher knows it."""

    @property
    def engine(self) -> Engine: ...

    @property
    def rows(self) -> int:
        """0: it can't be asked now."""
        ...

    @property
    def job_ids(self) -> frozenset[int]:
        """Of the jobs that it works on."""
        ...


class EngineForgetting:
    """One bot's engines. What an engine has to forget while it is away it is told when it is back, as long as this bot runs."""

    def __init__(self, engines: Sequence[KnownEngine]) -> None:
        self._queues = [(known, asyncio.Queue[tuple[str, ...]]()) for known in engines]

    def forget(self, sha256s: Sequence[str]) -> None:
        """Let every engine keep nothing of these pictures, nor of any conversation."""
        for _, queue in self._queues:
            queue.put_nowait(tuple(sha256s))

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            for known, queue in self._queues:
                self._tasks.create_task(self._follow(known, queue))

    async def _follow(self, known: KnownEngine, queue: asyncio.Queue[tuple[str, ...]]) -> NoReturn:
        while True:
            sha256s = await queue.get()
            while not queue.empty():
                sha256s += queue.get_nowait()
            under_way = known.job_ids
            await _tell(known, sha256s)
            start(self._tasks, _tell_after(known, under_way, sha256s))


async def _tell_after(known: KnownEngine, jobs: frozenset[int], sha256s: Sequence[str]) -> None:
    """Once more when these jobs are over: one of them may be about what was deleted, and leave it behind."""
    while jobs & known.job_ids:  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(AFTER_SECONDS)
    await asyncio.sleep(AFTER_SECONDS)
    await _tell(known, sha256s)


async def _tell(known: KnownEngine, sha256s: Sequence[str]) -> None:
    logged = False
    while True:
        try:
            if known.rows:
                for start in range(0, max(len(sha256s), 1), MOST):
                    await known.engine.forget(sha256s[start : start + MOST])
                return
        except BotError as error:
            if not logged:
                log.warning("engine_keeps_deleted", engine=known.engine.name, reason=str(error), remedy="it is told again")
            logged = True
        await asyncio.sleep(AWAY_SECONDS)
