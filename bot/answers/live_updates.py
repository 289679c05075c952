"""Updates messages that were final already: votes below an answer, places in line that `/queue` listed, what was refused since.

Votes come in bursts: those for one answer are collected and shown by one edit, the longer the smaller the channel's budget is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import NoReturn

from bot.answers.presentation import AnswerViews
from bot.background import start
from bot.delivery.channel_queue import Notice
from bot.delivery.outbox import Outbox
from bot.ports import Outgoing
from bot.store import graph, jobs
from bot.store.database import Database

EDITS_GATHERED = 3  # votes are collected for the time of so many edits
LOOK_SECONDS = 2.0
FOLLOW_SECONDS = 600.0  # an answer to /queue is kept up to date for so long


@dataclass(frozen=True, slots=True)
class FollowedNotice:
    """A notice that is kept equal to what `current` returns, until that is final or `until` (monotonic seconds) has passed."""

    notice: Notice
    current: Callable[[], Awaitable[Outgoing]]
    until: float


class LiveUpdates:
    """`run` owns the tasks; the other methods may be called at any time."""

    def __init__(self, database: Database, outbox: Outbox, answer_views: AnswerViews) -> None:
        self._database = database
        self._outbox = outbox
        self._answer_views = answer_views
        self._due: set[int] = set()  # answers whose votes changed
        self._notices: dict[str, FollowedNotice] = {}  # one a person and place

    async def run(self) -> NoReturn:
        """Until cancelled."""
        self._due.clear()  # the tasks that would have shown them ended with the last run
        async with asyncio.TaskGroup() as self._tasks:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                for key, followed in list(self._notices.items()):
                    if not await _update(followed) and self._notices.get(key) is followed:
                        del self._notices[key]

    def votes_changed(self, answer: int) -> None:
        """The votes for an answer changed: show them soon."""
        if answer not in self._due:
            self._due.add(answer)
            start(self._tasks, self._show_votes(answer))

    async def keep_updated(self, key: str, send: Callable[[Outgoing], Notice], current: Callable[[], Awaitable[Outgoing]]) -> None:
        """Send what `current` returns, and update it until it is final; a notice of the same `key` before it is updated no more."""
        first = await current()
        if before := self._notices.pop(key, None):
            before.notice.change(replace(first, final=True))
        notice = send(first)
        if not first.final:
            self.follow(key, notice, current)

    def follow(self, key: str, notice: Notice, current: Callable[[], Awaitable[Outgoing]]) -> None:
        """Keep a notice true that was sent already."""
        self._notices[key] = FollowedNotice(notice, current, monotonic() + FOLLOW_SECONDS)

    async def _show_votes(self, answer: int) -> None:
        stored = await self._database.read(graph.answer, answer)
        await asyncio.sleep(EDITS_GATHERED * self._outbox.seconds_per_edit(stored.place) if stored else 0)
        self._due.discard(answer)
        job = await self._database.read(jobs.job_of, answer)
        if job is not None and (view := await self._answer_views.load(job, busy=False)):
            await view.finish()


async def _update(followed: FollowedNotice) -> bool:
    """Update a notice. False: it is final now, or can't be changed any more."""
    message = await followed.current()
    if monotonic() > followed.until:
        message = replace(message, final=True)
    return followed.notice.change(message) and not message.final
