"""Redraws the votes below an answer that is final already.

Votes come in bursts: those for one answer are collected and shown by one edit, the longer the smaller the channel's budget is.
"""

from __future__ import annotations

import asyncio

from bot.answers.presentation import AnswerViews
from bot.background import start
from bot.delivery.outbox import Outbox
from bot.store import graph, jobs
from bot.store.database import Database

EDITS_GATHERED = 3  # votes are collected for the time of so many edits


class VoteUpdates:
    """`run` owns the tasks; `votes_changed` may be called at any time."""

    def __init__(self, database: Database, outbox: Outbox, answer_views: AnswerViews) -> None:
        self._database = database
        self._outbox = outbox
        self._answer_views = answer_views
        self._due: set[int] = set()  # answers whose votes changed

    async def run(self) -> None:
        """Until cancelled."""
        self._due.clear()  # the tasks that would have shown them ended with the last run
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.Future()

    def votes_changed(self, answer: int) -> None:
        """The votes for an answer changed: show them soon."""
        if answer not in self._due:
            self._due.add(answer)
            start(self._tasks, self._show_votes(answer))

    async def _show_votes(self, answer: int) -> None:
        stored = await self._database.read(graph.answer, answer)
        await asyncio.sleep(EDITS_GATHERED * self._outbox.seconds_per_edit(stored.place) if stored else 0)
        self._due.discard(answer)
        job = await self._database.read(jobs.job_of, answer)
        if job is not None and (view := await self._answer_views.load(job, busy=False)):
            await view.finish()
