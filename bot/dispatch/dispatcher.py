"""Gives waiting jobs to engines, fairest first, and runs each to its end: the answer is made, stored once, and shown."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from math import inf
from time import monotonic, time
from typing import Any, NoReturn

import structlog

from bot import conversation
from bot.answers.accumulate import Comparison, Draft, new_draft
from bot.answers.explanations import Explanations
from bot.answers.generate import AnswerGenerator, Cancellation
from bot.answers.presentation import AnswerView, AnswerViews
from bot.background import start
from bot.config.logging import job_logged
from bot.delivery.outbox import Outbox
from bot.dispatch import lease as heartbeats
from bot.dispatch.engine_pool import EnginePool, PooledEngine
from bot.dispatch.fair_queue import FairQueue
from bot.dispatch.finished_answers import LAST_WRITE_SECONDS, FinishedAnswers
from bot.dispatch.lease import Lease, allowed_rows
from bot.dispatch.losses import Losses
from bot.dispatch.receipts import Receipts
from bot.dispatch.save_answers import AnswerSaver
from bot.dispatch.wait_estimates import Rate, Speed, Throughput, queue_positions
from bot.dispatch.waiting_notes import WaitingNotes
from bot.errors import AnswerLost, EngineRefused, EngineUnavailable, Refusal
from bot.insight.explainer import Explainer
from bot.looking.places import MarkedPictures, places_to_show
from bot.message import Place
from bot.metrics import Metrics
from bot.queue_status import QueuePosition
from bot.store import jobs, snapshots
from bot.store.database import Database
from bot.store.graph import Turn
from bot.store.jobs import BegunAnswer, Job, WaitingJob
from bot.store.snapshots import FetchedJob
from bot.store.tables import Finish
from bot.texts import Texts
from engine.tracing import span

LOOK_SECONDS = 2.0  # between two looks at the queue where `wake` is not called
MAX_ATTEMPTS = 5  # of one job that its bot did not survive, …
ATTEMPTS_SECONDS = 3600.0  # … over so long a time: then the question itself is taken for the cause
MOST_POSITIONS = 200  # positions that are worked out from the head of the queue: all of it, within the default limits

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The queue at a moment: how many jobs wait and run; `positions`: positions by answer, of those at the head of the queue."""

    waiting: int
    running: int
    positions: Mapping[int, QueuePosition]


class Dispatcher:
    """Owns the tasks of all jobs. The lease's name tells this bot from others on the same database."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        answer_views: AnswerViews,
        generator: AnswerGenerator,
        pool: EnginePool,
        texts: Texts,
        lease: Lease,
        marked: MarkedPictures,
        explainer: Explainer | None = None,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._answer_views = answer_views
        self._generator = generator
        self._pool = pool
        self._explainer = explainer
        self._texts = texts
        self._name = lease.name
        self._queue = FairQueue()
        self._speed = Speed()
        self._rate = Rate(monotonic)
        self._throughput = Throughput(monotonic)
        self.seconds_until_room = self._throughput.seconds_until_room
        self._losses = Losses()
        self._metrics = Metrics()
        self._lease = lease
        self.explanations = Explanations()
        self._growing: dict[int, Draft | Comparison] = {}  # by answer
        self._news = asyncio.Event()
        self._arrived: list[WaitingJob] = []  # stored since the last look
        self._looked_at = float("-inf")  # when the store was last asked for waiting jobs, on the steady clock
        self._look_due = True  # there may be jobs to start that this bot was not told of
        self._waiting = False  # whether any question waited at the last look
        self._attached = asyncio.Event()
        self._queue_lock = asyncio.Lock()  # held while a job leaves the queue or its position is shown: else that could replace the answer
        self._cancellations: dict[int, Cancellation] = {}  # of running jobs
        self._receipts = Receipts()
        self._finished = FinishedAnswers(database, outbox, answer_views, marked)
        self._saver = AnswerSaver(database, outbox, answer_views, texts, self._losses, self._metrics, lease.name, self.wake, self._spawn)
        self._notes = WaitingNotes(database, outbox, answer_views, lease.name, self._queue_lock)
        self._busy: set[asyncio.Task[None]] = set()
        self._draining = False

    async def run(self) -> NoReturn:
        """Run jobs until cancelled. Jobs that a killed run of this bot left begin again."""
        recovered = await self._database.write(jobs.prune_stalled_workers, inf, self._name)
        log.info("dispatcher_started", recovered=recovered)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._pool.watch(self.wake))
                self._tasks.create_task(self._keep_alive())
                self._tasks.create_task(self._keep_informed())
                self._tasks.create_task(self._stop_all(self._outbox.deleted))
                self._tasks.create_task(self._stop_all(self._outbox.given_up))
                while True:
                    await self._start_jobs()
                    await _news(self._news, LOOK_SECONDS)
        finally:
            await self._finished.close()
            if self._draining:
                await self._hand_back()

    def wake(self) -> None:
        """Look at the queue now: a job may start that could not before, or an engine has room."""
        self._look_due = True
        self._news.set()

    def enqueued(self, job: WaitingJob | None) -> None:
        """This bot stored a question. Its job starts without another look at the queue if nothing else waits. None: it has one already."""
        if job is not None:
            self._arrived.append(job)
            self._receipts.keep(job.id)
            self._news.set()
            if self._draining:
                self._spawn(self._notes.say_stopping([job.answer]))

    def attached(self) -> None:
        """A platform is connected: answers that were not delivered there go out, and its questions may start."""
        self._attached.set()
        self.wake()

    async def drain(self) -> None:
        """For a graceful stop: start no more jobs, tell those who wait, and return when none runs or is being delivered."""
        self._draining = self._notes.stopping = True
        self._spawn(self._notes.say_stopping((await self.queue_snapshot()).positions))
        while self._busy:
            await asyncio.wait(self._busy)
        await self._finished.finish_shown()

    async def _hand_back(self) -> None:
        """What we can't finish any more may be answered by any bot on this database, or by us after the next start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WRITE_SECONDS):
                log.info("handed_back", questions=await self._database.write(jobs.hand_back, self._name))

    async def stop(self, answers: Sequence[int]) -> int:
        """Stop these answers; how many were waiting or being made. The text so far stays."""
        async with self._queue_lock:
            running, waited = await self._database.write(jobs.cancel_jobs, answers, self._name)
        for job in waited:
            self._deliver_soon(job)
        for number in running & self._cancellations.keys():
            self._cancellations[number].cancel()
        self.wake()  # follow-up questions need not wait for them any more
        return len(running) + len(waited)

    def drop(self, replaced: Sequence[BegunAnswer], place: Place) -> None:
        """Stop making and showing answers that were deleted from the store because their question was edited."""
        for old in replaced:
            if stop := self._cancellations.get(old.job):
                stop.cancel()
            self._outbox.discard_answer(old.answer, place)
        self.wake()

    async def queue_snapshot(self) -> QueueSnapshot:
        """The queue now, with positions in the order in which the jobs will be started."""
        waiting = await self._database.read(jobs.all_waiting)
        head = islice(self._queue.order(waiting), MOST_POSITIONS)
        running = self._pool.running
        self._pool.note_waiting(len(waiting))
        self._outbox.set_pending(Counter(job.channel for job in (*waiting, *running)))
        positions = queue_positions(head, running, self._speed, self._pool.rows, self._outbox.seconds_until_shown)
        return QueueSnapshot(len(waiting), len(running), positions)

    async def measure(self) -> Metrics:
        """What was counted since the start, and how the queue stands now."""
        self._metrics.questions(await self._database.read(jobs.count_waiting), len(self._pool.running))
        self._metrics.engines(self._pool.states())
        self._metrics.platforms(self._outbox.attached, self._outbox.connected)
        return self._metrics

    @property
    def tokens_per_second(self) -> float | None:
        return self._speed.tokens_per_second(self._pool.rows)

    @property
    def tokens_now(self) -> float:
        """Tokens a second that engines sent in the last three seconds, of all answers together."""
        return self._rate.per_second()

    def growing(self, answer: int) -> Draft | Comparison | None:
        """The text so far of an answer that is being made; None: it is not."""
        return self._growing.get(answer)

    async def _start_jobs(self) -> None:
        """Start the jobs that engines have room for, fairest first. Ends early when `wake` is called, since the order may be another then.

        Where every engine refuses until its operator mends something, each job is answered with the reason instead.
        """
        arrived, self._arrived = self._arrived, []
        waited, self._waiting = self._waiting, True
        refusal = self._pool.refusal
        if not (refusal or self._pool.have_room()):
            return
        fetchable, behind = (arrived, False) if self._is_all(arrived, waited) else await self._look()
        while not (self._draining or self._news.is_set()):
            chosen = next(iter(fetchable), None) if refusal else self._fairest(fetchable)
            pooled = self._pool.best(chosen) if chosen and not refusal else None
            if chosen is None or (pooled is None and refusal is None):
                break
            async with self._queue_lock:
                fetched = await self._fetch(chosen)
                if fetched is not None and pooled is not None:
                    self._queue.charge(chosen)
                    pooled.running[chosen.id] = chosen
                    self._cancellations[chosen.id] = Cancellation()
                    self._spawn(self._run_job(pooled, chosen, fetched))
                elif fetched is not None and refusal is not None:
                    self._spawn(self._refuse(fetched, refusal))
            fetchable.remove(chosen)
            behind = behind or fetched is None
            if behind:
                self.wake()  # the next of that person's may start, too
        self._waiting = behind or bool(fetchable)

    def _is_all(self, arrived: Sequence[WaitingJob], waited: bool) -> bool:
        """Whether the jobs that were just stored are all that may start, so that the store need not be asked."""
        if self._look_due or waited or monotonic() - self._looked_at >= LOOK_SECONDS:
            return False
        connected, people = self._outbox.connected, {(job.channel, job.person) for job in arrived}
        return len(people) == len(arrived) > 0 and all(job.channel.partition(":")[0] in connected for job in arrived)

    async def _look(self) -> tuple[list[WaitingJob], bool]:
        """The jobs that may start, by the store; and whether others wait behind them."""
        self._look_due, self._looked_at = False, monotonic()
        found, behind = await self._database.read(jobs.fetchable_and_rest, self._outbox.connected, self._name, self._lease.dead_after)
        return [job for job in found if not self._losses.rests(job.id)], behind

    async def _fetch(self, chosen: WaitingJob) -> FetchedJob | None:
        ahead = self._outbox.can_record_ahead
        record_in = [private for private in (True, False) if ahead(chosen.channel, chosen.answer, private=private)]
        async with self._finished.finishing() as shown:
            return await self._database.write(snapshots.fetch_job, chosen.id, self._name, time(), record_in=record_in, shown=shown)

    def _fairest(self, fetchable: Sequence[WaitingJob]) -> WaitingJob | None:
        """The job whose turn it is, among people who use no more than their share of the engines; None: there is none."""
        may = self._queue.within_share(fetchable, self._pool.rows_by_person(), self._pool.rows, monotonic())
        return self._queue.next(may) if may else None

    async def _refuse(self, fetched: FetchedJob, refusal: EngineRefused) -> None:
        with job_logged(fetched.job.name):
            if ended := await self._saver.fail_refused(fetched.job, self._answer_views.open(fetched.job, fetched.snapshot), refusal):
                await self._finished.deliver(fetched.job, ended)

    async def _run_job(self, pooled: PooledEngine, waiting: WaitingJob, fetched: FetchedJob) -> None:
        """Make one answer, store it and deliver it. The job is `running` and ours."""
        job, began = fetched.job, monotonic()
        branch = conversation.said(fetched.branch)
        view = self._answer_views.open(job, fetched.snapshot)
        view.show_begun()
        draft = self._growing[job.answer] = new_draft(job, self._texts)
        explained = self._outbox.platform(view.answer.place).limits.shows_explanations
        explainer = self._explainer if pooled.health and pooled.health.explains else None
        if explainer:
            explainer.begin(job, draft, pooled.engine)

        def on_chunk() -> None:
            self._rate.count()
            view.show_partial(draft)

        receipt = self._receipts.take(job.id)
        with job_logged(job.name), span("question", receipt, begun=job.asked, job=job.name, attempts=job.attempts):
            try:
                if job.attempts >= MAX_ATTEMPTS and time() - job.asked >= ATTEMPTS_SECONDS:
                    raise Refusal("answer.lost", count=job.attempts)
                async with self._typing(view), self._cancellations[job.id]:
                    with span("answer", engine=pooled.engine.name):
                        health = pooled.health
                        await self._generator.answer(pooled.engine, job, branch, draft, on_chunk, health=health, explained=explained)
            except (Refusal, EngineRefused, EngineUnavailable, AnswerLost) as error:
                ended = await self._saver.end_failed(pooled, job, view, error)
            else:
                pooled.answer_made()
                self._losses.answer_made(job.id)
                if explained:
                    self.explanations.keep(job, draft)
                if explainer:
                    explainer.keep(job, draft, pooled.engine)
                notes = await self._generator.footer_notes(job, branch, draft)
                ended = await self._saver.save(
                    job, view, draft.text, draft.finish, *notes, columns=draft.columns, extras=extras_of(draft, branch)
                )
            finally:
                self._free_engine(pooled, waiting, draft, monotonic() - began)
                if explainer:
                    explainer.end(job.answer)
            if ended:
                await self._finished.deliver(job, ended)

    @asynccontextmanager
    async def _typing(self, view: AnswerView) -> AsyncIterator[None]:
        """Show that the bot is at work, during this block."""
        typing = self._tasks.create_task(view.show_typing())
        try:
            yield
        finally:
            typing.cancel()

    def _free_engine(self, pooled: PooledEngine, waiting: WaitingJob, draft: Draft | Comparison, seconds: float) -> None:
        """Free the engine's rows after a job that ran for so many seconds, and learn from it how fast the engine is."""
        del pooled.running[waiting.id], self._cancellations[waiting.id], self._growing[waiting.answer]
        self._queue.settle(waiting, draft.prompt_tokens + draft.work(waiting.rows))
        self._throughput.count()
        if self._waiting:
            self.wake()
        if draft.finish is not Finish.STOPPED:  # one that was cut off or refused says nothing of the engine's speed
            self._speed.record(waiting, draft.tokens // len(draft.drafts), seconds)

    def _deliver_soon(self, job: Job) -> None:
        if job.id not in self._finished and job.id not in self._cancellations:
            self._finished.begin(job.id)
            self._spawn(self._finished.deliver(job))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` as a task that `drain` waits for. While the dispatcher is ending it starts none: its job stays in the store."""
        if task := start(self._tasks, work):
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)

    async def _keep_alive(self) -> NoReturn:
        """Every HEARTBEAT_SECONDS: store that we live, cancel jobs stopped through another bot, take over the jobs of dead bots."""
        while True:
            await self._finished.finish_shown()
            async with self._queue_lock:
                renewed = await self._lease.renew(self._outbox.connected, tuple(self._cancellations))
            for number in renewed.stopped & self._cancellations.keys():
                self._cancellations[number].cancel()
            for job in renewed.undelivered:
                self._deliver_soon(job)
            if renewed.recovered:
                self.wake()
            await _news(self._attached, heartbeats.HEARTBEAT_SECONDS)

    async def _keep_informed(self) -> NoReturn:
        """Keep showing those at the head of the queue their position, or that no engine is ready."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._pool.rows:
                self._notes.note_engine()
            if self._pool.shared:
                loads = await self._database.read(jobs.loads, self._lease.dead_after)
                self._pool.allowed = allowed_rows(self._pool.rows, self._name, loads)
            await self._notes.show_positions((await self.queue_snapshot()).positions.values())

    async def _stop_all(self, unwanted: asyncio.Queue[int]) -> NoReturn:
        """Stop answers that come out of this queue: somebody deleted a message of theirs, or they can't be shown any more."""
        while True:
            await self.stop([await unwanted.get()])


def extras_of(draft: Draft | Comparison, branch: Sequence[Turn]) -> dict[str, Any]:
    """For graph.keep_extras: how it was answered in steps, and where it says that things are."""
    extras: dict[str, Any] = {"trace": draft.trace} if draft.trace is not None else {}
    if isinstance(draft, Draft) and draft.boxes and draft.finish is not Finish.STOPPED:
        spoiler = any(turn.spoiler for turn in branch if draft.pictured in turn.sha256s)
        extras["look"] = places_to_show(draft.boxes, draft.pictured, spoiler=spoiler)
    return extras


async def _news(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, at most so many seconds, and clear it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()
