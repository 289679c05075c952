"""Shows the ends of stored answers, and tells the store which are shown: with the next write, so that it costs none of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from bot.answers.presentation import AnswerView, AnswerViews
from bot.delivery.outbox import Outbox
from bot.looking.places import MarkedPictures
from bot.store import graph, jobs
from bot.store.database import Database
from bot.store.graph import Answer
from bot.store.jobs import Job

LAST_WRITE_SECONDS: Final = 2.0  # at the bot's end: a database that can't be written to holds it up no longer


class FinishedAnswers:
    """The answered jobs that this bot delivers. A kill before the store knows shows an end again, in the messages that show it already."""

    def __init__(self, database: Database, outbox: Outbox, answer_views: AnswerViews, marked: MarkedPictures) -> None:
        self._database = database
        self._outbox = outbox
        self._answer_views = answer_views
        self._marked = marked
        self._open: set[int] = set()  # jobs that the store takes for answered
        self._shown: set[int] = set()  # of these, those whose end is shown

    def __contains__(self, job: int) -> bool:
        """Whether the end of this job's answer is being shown, or is shown and the store does not know yet."""
        return job in self._open

    def begin(self, job: int) -> None:
        """`deliver` is going to be called for this job."""
        self._open.add(job)

    async def deliver(self, job: Job, ended: AnswerView | None = None) -> None:
        """Show the end of an answer; returns when it is shown, or can't be. `ended`: its view, if there is one already."""
        self.begin(job.id)
        try:
            if view := ended or await self._answer_views.load(job):
                await view.finish()
                await self._show_places(job, view.answer)
            else:
                await self._outbox.retract_answer(job.answer)
            self._shown.add(job.id)
        finally:
            if job.id not in self._shown:
                self._open.discard(job.id)

    async def _show_places(self, job: Job, answer: Answer) -> None:
        """Below the answer, where it says that things are. A kill before this is stored as done shows it after the restart."""
        if answer.look:
            await self._marked.show(answer, job.settings.language, whose=job.person)
            await self._database.write(graph.keep_extras, job.answer, {"look": None})

    @asynccontextmanager
    async def finishing(self) -> AsyncIterator[tuple[int, ...]]:
        """The jobs whose end is shown: the block moves them to `done` with what else it writes."""
        shown = tuple(self._shown)
        yield shown
        self._shown.difference_update(shown)
        self._open.difference_update(shown)

    async def finish_shown(self) -> None:
        """Move the jobs whose end is shown to `done`."""
        async with self.finishing() as shown:
            if shown:
                await self._database.write(jobs.finish_jobs, shown)

    async def close(self) -> None:
        """The last `finish_shown`, if the database can be written to."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WRITE_SECONDS):
                await self.finish_shown()
