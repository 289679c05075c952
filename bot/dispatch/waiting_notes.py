"""Tells those who wait what for: their place in line, an engine, or the next start of a bot that is being stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Final

from bot.answers.presentation import AnswerView, AnswerViews
from bot.delivery.outbox import Outbox
from bot.queue_status import QueuePosition
from bot.store import jobs
from bot.store.database import Database

NOTICEABLE_SECONDS: Final = 4.0  # without a ready engine, after which those who wait are told
SHOWN_SECONDS: Final = 1.5  # that a stop waits until people see that it is one
LOOK_SECONDS: Final = 0.02  # between two looks whether they do


class WaitingNotes:
    """The notes of one bot (`owner`). `queue_lock`: held while one is shown, or it could replace the answer."""

    def __init__(self, database: Database, outbox: Outbox, answer_views: AnswerViews, owner: str, queue_lock: asyncio.Lock) -> None:
        self._database = database
        self._outbox = outbox
        self._answer_views = answer_views
        self._owner = owner
        self._queue_lock = queue_lock
        self._engines_seen = monotonic()
        self.stopping = False  # nothing is begun any more

    def note_engine(self) -> None:
        """One is ready."""
        self._engines_seen = monotonic()

    async def show_positions(self, places: Iterable[QueuePosition]) -> None:
        for place in places:
            if place.position:  # 0: it runs
                await self._show(place.answer_id, place)

    async def say_stopping(self, answers: Iterable[int]) -> None:
        """Tell those who wait for these answers that they get them after the next start. Returns when they see it, or can't soon."""
        views = [await self._show(answer, None) for answer in answers]
        with suppress(TimeoutError):
            async with asyncio.timeout(SHOWN_SECONDS):
                while any(view is not None and not view.is_shown for view in views):  # noqa: ASYNC110 - nobody announces it
                    await asyncio.sleep(LOOK_SECONDS)

    async def _show(self, answer: int, place: QueuePosition | None) -> AnswerView | None:
        async with self._queue_lock:
            job = await self._database.read(jobs.waiting_for, answer, self._owner, self._outbox.connected)
            view = await self._answer_views.load(job) if job is not None else None
            if view is None:
                return None
            if self.stopping or place is None:
                view.show_waits("answer.stopping")
            elif monotonic() - self._engines_seen > NOTICEABLE_SECONDS:
                view.show_waits("answer.away")
            else:
                view.show_position(place)
            return view
