"""The one thread that owns the device: requests come in from the event loop, events go out to it.

    event loop                                   the device's thread
    stream() ── admit ──▶ queue ───────────────▶ engine.submit(…) as they come
       ▲                                         engine.step() while anything is under way
       └── job.events ◀── call_soon_threadsafe ────┘

A job's events are bounded by its own token limit, so a slow reader never holds up the device. Errors raised on purpose
(EngineError) end one job; anything else ends the thread's work: every asker is told, and the model is loaded afresh.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import traceback
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Literal, Protocol

import structlog

from engine.errors import EngineError, NotReadyError, OverloadedError
from engine.metrics import Metrics
from engine.request import Done, Event, Request

HEARTBEAT_SECONDS = 5.0
RESTARTS = 3  # in a row without a finished answer; then a fresh process is wanted
RESTART_PAUSE_SECONDS = 1.0

log = structlog.get_logger()


class ServedEngine(Protocol):
    """What the worker's thread drives, and, but for `prepare`, nobody else. `engine.core.engine.Engine` is one."""

    @property
    def rows(self) -> int:
        """How many answers it writes at once; a beam counts as one."""
        ...

    def prepare(self, request: Request) -> Request:
        """The same request with what is the processor's work on it done. Any thread may do this, before `submit`.

        Raises RequestError (ContextError, …).
        """
        ...

    def submit(self, request: Request, tell: Callable[[Event | EngineError], None], cancelled: Callable[[], bool]) -> None:
        """Takes a request. `tell` hears its events as they come about, `Done` or an EngineError last; `cancelled` is asked each step."""
        ...

    def step(self) -> bool:
        """Takes every answer under way a token further; False when there is nothing left to do."""
        ...


@dataclass(frozen=True)
class Loaded:
    """A model on its device. `memory` tells the bytes that this process holds there."""

    engine: ServedEngine
    device: str
    memory: Callable[[], int]


@dataclass(eq=False)
class Job:
    """One request under way. The thread tells, the loop listens; either may be the first to stop."""

    request: Request
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event | EngineError] = field(default_factory=asyncio.Queue)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def tell(self, event: Event | EngineError) -> None:
        self.loop.call_soon_threadsafe(self.events.put_nowait, event)


class Worker:
    """`run()` must be running in a task of its owner. `capacity` bounds the jobs that run or wait.

    A model that can't be loaded is not tried again: what that needs is another folder or a fresh process.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        *,
        expected_seconds: float,
        capacity: int = 64,
        patience_seconds: float = 20.0,
        metrics: Metrics | None = None,
    ) -> None:
        self.status: Literal["loading", "ready", "failed"] = "loading"
        self.loaded: Loaded | None = None
        self.death: BaseException | None = None  # the last one, without the frames that hold its engine
        self._load = load
        self._expected_seconds = expected_seconds
        self._capacity = capacity
        self._metrics = metrics or Metrics()
        self._patience_seconds = patience_seconds
        self._loading_since = time.monotonic()
        self._settled = asyncio.Event()  # ready or failed
        self._stopping = False
        self._deaths = 0
        self._jobs: set[Job] = set()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()

    @property
    def failure(self) -> str | None:
        """Why it can't answer, for people."""
        return None if self.death is None or self.loaded else str(self.death) or type(self.death).__name__

    @property
    def seconds_left(self) -> float | None:
        """Until the model is loaded, from how long it took before; None when it isn't loading, or takes longer: a first start compiles."""
        left = self._expected_seconds - (time.monotonic() - self._loading_since)
        return left if self.status == "loading" and left > 0 else None

    async def run(self) -> None:
        """Keep the thread at work until `stop()`; returns early once the model can't be loaded or keeps dying."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="device")
        try:
            while not self._stopping and self.status != "failed":
                self._loading_since = time.monotonic()
                if await self._oversee(loop, thread):
                    await asyncio.sleep(RESTART_PAUSE_SECONDS if self.status == "loading" else 0)
        finally:
            self.stop()
            self._tell_all(NotReadyError("The engine is stopping."))
            thread.shutdown(wait=False)

    async def _oversee(self, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor) -> bool:
        """One engine from its loading to its end; whether it died. On return nothing here refers to it any more."""
        life = loop.run_in_executor(thread, self._live, loop)
        await asyncio.wait({life})
        death = life.exception()
        if death is not None:
            self._bury(death)
        return death is not None

    def stop(self) -> None:
        """Cancel what runs and let `run()` return once the thread has put the device down."""
        self._stopping = True
        self._queue.put(None)
        for job in self._jobs:
            job.cancelled.set()

    def prepare(self, request: Request) -> Request:
        """The request with the processor's part of the work done, if there is an engine yet. Takes time, in any thread."""
        loaded = self.loaded
        return loaded.engine.prepare(request) if loaded else request

    async def stream(self, request: Request) -> AsyncGenerator[Event | None]:
        """The request's events; None every few seconds while there is nothing to say. Closing it cancels the job.

        Raises OverloadedError, NotReadyError, or what the generator raised.
        """
        await self._until_ready()
        job = self._admit(request)
        try:
            while True:
                event = await heard(job)
                if isinstance(event, EngineError):
                    raise event
                yield event
                if isinstance(event, Done):
                    self._deaths = 0
                    return
        finally:
            job.cancelled.set()
            self._jobs.discard(job)

    async def _until_ready(self) -> None:
        """Wait for a model that is nearly loaded; for one that is not, say when to come again."""
        if self.status == "loading" and (self.seconds_left or 0) <= self._patience_seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_seconds):  # `wait_for` would begin to wait later, and let others pass
                    await self._settled.wait()
        if self._stopping and self.status != "failed":
            raise NotReadyError("The engine is stopping.")
        if self.status == "failed":
            raise NotReadyError(f"The model could not be loaded: {self.failure}", retry_after=60)
        if self.status == "loading":
            raise NotReadyError("The model is still loading; try again shortly.", retry_after=max(1, round(self.seconds_left or 1)))

    def _admit(self, request: Request) -> Job:
        if len(self._jobs) >= self._capacity:
            raise OverloadedError(f"{len(self._jobs)} requests run or wait, which is the limit; try again later.", retry_after=10)
        job = Job(request, asyncio.get_running_loop())
        self._jobs.add(job)
        self._queue.put(job)
        return job

    def _bury(self, death: BaseException) -> None:
        self._deaths += 1
        self._metrics.restarted()
        hopeless = self.loaded is None or self._deaths > RESTARTS
        self.status = "failed" if hopeless else "loading"
        log.error("worker died", status=self.status, error=str(death), exc_info=None if isinstance(death, EngineError) else death)
        forget_frames(death)
        self.loaded, self.death = None, death
        if hopeless:
            self._settled.set()
        else:
            self._settled.clear()
        self._queue = SimpleQueue()
        self._tell_all(NotReadyError("The engine's worker failed and is being restarted; ask again.", round(self._expected_seconds) + 1))

    def _tell_all(self, error: EngineError) -> None:
        for job in self._jobs:
            job.events.put_nowait(error)

    # From here on: the device's thread.

    def _live(self, loop: asyncio.AbstractEventLoop) -> None:
        gc.collect()  # a dead engine lies in cycles, and the next one needs its memory
        loaded = self._load()
        loop.call_soon_threadsafe(self._set_ready, loaded)
        queue, busy = self._queue, False
        while True:
            while not (busy and queue.empty()):
                job = queue.get()
                if job is None:
                    return
                loaded.engine.submit(job.request, job.tell, job.cancelled.is_set)
                busy = True
            busy = loaded.engine.step()

    def _set_ready(self, loaded: Loaded) -> None:
        self.loaded, self.status = loaded, "ready"
        self._settled.set()


async def heard(job: Job) -> Event | EngineError | None:
    """None every few seconds without an event."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await job.events.get()
    except TimeoutError:
        return None


def forget_frames(error: BaseException | None) -> None:
    """Lets go of all that the functions held which `error` and its causes passed through: weights, cache, graphs."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
