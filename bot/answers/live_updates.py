"""Says again what has changed after it was said: the votes under an answer, and the places in an answer to `/queue`.

Votes come in rushes: those for one answer are gathered, for as long as a channel with a small budget needs.
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

EDITS_GATHERED = 3  # votes of so many edits' time go out as one
LOOK_SECONDS = 2.0
FOLLOW_SECONDS = 600.0  # a person who asks for the line sees it move for so long


@dataclass(frozen=True, slots=True)
class FollowedNotice:
    """A notice that says what `current` says now, until that is final."""

    notice: Notice
    current: Callable[[], Awaitable[Outgoing]]
    until: float


class LiveUpdates:
    """`run` owns what is done; the rest may be called at any time."""

    def __init__(self, database: Database, outbox: Outbox, answer_views: AnswerViews) -> None:
        self._database = database
        self._outbox = outbox
        self._answer_views = answer_views
        self._due: set[int] = set()  # answers whose votes changed
        self._notices: dict[str, FollowedNotice] = {}  # one a person and place

    async def run(self) -> NoReturn:
        """Until cancelled."""
        self._due.clear()  # whoever would have shown them ended with the last run
        async with asyncio.TaskGroup() as self._tasks:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                for key, followed in list(self._notices.items()):
                    if not await _update(followed) and self._notices.get(key) is followed:
                        del self._notices[key]

    def votes_changed(self, answer: int) -> None:
        """Show the votes for an answer, soon."""
        if answer not in self._due:
            self._due.add(answer)
            start(self._tasks, self._show_votes(answer))

    async def keep_updated(self, key: str, send: Callable[[Outgoing], Notice], current: Callable[[], Awaitable[Outgoing]]) -> None:
        """Say what `current` says, and keep it true while it is not final, in place of what was kept true of the same `key` before."""
        first = await current()
        if before := self._notices.pop(key, None):
            before.notice.change(replace(first, final=True))
        notice = send(first)
        if not first.final:
            self._notices[key] = FollowedNotice(notice, current, monotonic() + FOLLOW_SECONDS)

    async def _show_votes(self, answer: int) -> None:
        stored = await self._database.read(graph.answer, answer)
        await asyncio.sleep(EDITS_GATHERED * self._outbox.seconds_per_edit(stored.place) if stored else 0)
        self._due.discard(answer)
        job = await self._database.read(jobs.job_of, answer)
        if job is not None and (view := await self._answer_views.load(job, busy=False)):
            await view.finish()


async def _update(followed: FollowedNotice) -> bool:
    """Bring a notice up to date; False: it is final now, or nobody can change it."""
    message = await followed.current()
    if monotonic() > followed.until:
        message = replace(message, final=True)
    return followed.notice.change(message) and not message.final
