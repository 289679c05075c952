"""Stores how answers ended: made, refused, or failed for good; or puts the job back where another try may help."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from time import time
from typing import Any

import structlog

from bot.answers.generate import FAULT_TEXTS
from bot.answers.presentation import AnswerView, AnswerViews
from bot.delivery.outbox import Outbox
from bot.dispatch.engine_pool import PooledEngine
from bot.dispatch.losses import Losses
from bot.errors import AnswerLost, EngineRefused, EngineUnavailable, Refusal
from bot.message import Value
from bot.metrics import Metrics
from bot.platform import AnswerColumn
from bot.sanitize import sanitize_text
from bot.store import graph, jobs, snapshots
from bot.store.database import Database
from bot.store.jobs import Job
from bot.store.tables import Finish
from bot.texts import Texts

log = structlog.get_logger(__name__)


class AnswerSaver:
    """For the jobs of the bot of this name. `wake` is called when a job was put back, `spawn` runs what nobody waits for."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        answer_views: AnswerViews,
        texts: Texts,
        losses: Losses,
        metrics: Metrics,
        name: str,
        wake: Callable[[], None],
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._answer_views = answer_views
        self._texts = texts
        self._losses = losses
        self._metrics = metrics
        self._name = name
        self._wake = wake
        self._spawn = spawn

    async def end_failed(
        self, pooled: PooledEngine, job: Job, view: AnswerView, error: Refusal | EngineRefused | EngineUnavailable | AnswerLost
    ) -> AnswerView | None:
        """Put the job back where another try may help, else store the reason as its answer, and return its view."""
        if isinstance(error, EngineUnavailable | AnswerLost):
            pooled.answer_failed(error.retry_after if isinstance(error, EngineUnavailable) else 0.0)
            if isinstance(error, AnswerLost) and (tries := self._losses.answer_lost(job.id)):
                self._losses.forget(job.id)
                return await self._fail(job, view, "answer.lost", count=tries)
            log.warning("answer_put_back", reason=str(error))
            self._metrics.put_back()
            await self._database.write(jobs.retry_job, job, self._name)
            self._wake()
            return None
        self._losses.forget(job.id)
        if isinstance(error, EngineRefused):
            return await self.fail_refused(job, view, error)
        return await self._fail(job, view, error.key, **error.values)

    async def fail_refused(self, job: Job, view: AnswerView, refusal: EngineRefused) -> AnswerView | None:
        """Store why the engine refuses: its own words where the request is at fault, ours where its operator has to act."""
        if refusal.fault not in FAULT_TEXTS:
            return await self._fail(job, view, "answer.refused", reason=sanitize_text(str(refusal)))
        log.error("engine_refuses", reason=str(refusal))
        return await self._fail(job, view, FAULT_TEXTS[refusal.fault])

    async def _fail(self, job: Job, view: AnswerView, key: str, **values: Value) -> AnswerView | None:
        """Store a text of ours as the failed answer."""
        return await self.save(job, view, self._texts.render(job.settings.language, key, **values), Finish.FAILED)

    async def save(
        self,
        job: Job,
        view: AnswerView,
        text: str,
        finish: Finish,
        *notes: str,
        columns: tuple[AnswerColumn, ...] = (),
        extras: Mapping[str, Any] | None = None,
    ) -> AnswerView | None:
        """Store an answer; the view of it as it is stored. `extras`: graph.keep_extras. None: the job is not ours any more."""
        footer = " · ".join(filter(None, (view.answer.footer, *notes)))
        send_in = view.queued.place if text and self._outbox.hold_for_end(view.queued) else None
        saved = await self._database.write(
            snapshots.save_answer, job, self._name, text, finish, footer, time(), columns, extras, send_in=send_in
        )
        log.info("answer_made", finish=finish, ours=saved is not None)
        if saved is None:
            await self._abandon(job, view)
            return None
        self._metrics.answer_ended(job.place.partition(":")[0], finish, time() - job.asked)
        return self._answer_views.open(job, saved)

    async def _abandon(self, job: Job, view: AnswerView) -> None:
        """Our job is not ours any more. Another bot goes on in the same messages; of a forgotten answer they are deleted.

        If the other has shown its end already, our latest words may have replaced that: it is shown once more.
        """
        stored = await self._database.read(graph.answer, job.answer)
        if stored is None:
            self._spawn(self._outbox.retract_answer(job.answer))
        elif stored.finish is not None and (ended := await self._answer_views.load(job)):
            self._spawn(ended.finish())
        else:
            view.discard()
