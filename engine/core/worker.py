"""The one thread that owns the device: requests come in from the event loop, events go out to it.

    event loop                                   the device's thread
    stream() ── add, abort ──▶ queue ──────────▶ engine.add(…), engine.abort(…) as they come
       ▲                                         engine.step() while anything is under way
       └── events ◀── call_soon_threadsafe ─────┘

A request's events are bounded by its own token limit, so a slow reader never holds up the device. An error raised on purpose
(EngineError) ends one request; any other ends the engine: every asker is told, and the model is loaded afresh. A step that never ends
can't be ended from here either: every asker is told, and `run` returns, since only a fresh process helps.
"""

from __future__ import annotations

import asyncio
import gc
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Literal, Protocol

import structlog

from engine.core.pace import Pace, Patience
from engine.errors import EngineError, HungError, NotReadyError, OverloadedError
from engine.metrics import Metrics
from engine.request import Done, Event, Request

HEARTBEAT_SECONDS = 5.0
RESTARTS = 3  # in a row without a finished answer; then a fresh process is wanted
RESTART_PAUSE_SECONDS = 1.0

log = structlog.get_logger()

Events = asyncio.Queue[Event | EngineError]


class ServedEngine(Protocol):
    """What the device's thread drives, and no other thread: `engine.core.engine.Engine`, or a small stand-in in tests."""

    def add(self, request: Request, emit: Callable[[Event | EngineError], None]) -> None:
        """Takes a request. `emit` gets its events during `step`, the last of them `Done` or an EngineError."""
        ...

    def abort(self, request_id: str) -> None:
        """Ends a request without another event. Does nothing once the request has ended."""
        ...

    def step(self) -> bool:
        """Takes every answer one token further; False once nothing is left to do."""
        ...

    def forget(self, pictures: Sequence[str]) -> None:
        """Keeps nothing of these pictures (sha256), nor of any prompt that was read, but for the requests under way."""
        ...


def unprepared(request: Request) -> Request:
    return request


@dataclass(frozen=True)
class Loaded:
    """A model on its device.

    `memory` tells the bytes that this process holds there, `rows` is how many answers are written at once (a beam counts as one), and
    `prepare` does the CPU's part of the work on a request, in any thread.
    """

    engine: ServedEngine
    device: str
    memory: Callable[[], int]
    rows: int = 1
    prepare: Callable[[Request], Request] = unprepared
    detail: str = ""  # how closely pictures are looked at, where the model leaves a choice
    eye_pixels: int | None = None  # of a side, in which the model sees a picture
    explanation_seconds: Callable[[], float | None] | None = None  # what the last one took of the device; None: it explains nothing


Command = Callable[[ServedEngine], None]


class Worker:
    """Owns the device's thread; `run()` must be running in a task. At most `capacity` requests run or wait.

    A model that can't be loaded is not tried again: that needs another folder or a fresh process.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        *,
        expected_seconds: float,
        capacity: int = 64,
        patience_seconds: float = 20.0,
        metrics: Metrics | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.status: Literal["loading", "ready", "failed"] = "loading"
        self.loaded: Loaded | None = None
        self.death: BaseException | None = None  # the last one, without the frames that hold its engine
        self._load = load
        self._expected_seconds = expected_seconds
        self._capacity = capacity
        self._metrics = metrics or Metrics()
        self._patience_seconds = patience_seconds
        self._patience = patience or Patience()
        self._pace = Pace(self._patience)
        self._loading_since = time.monotonic()
        self._settled = asyncio.Event()  # ready or failed
        self._stopping = False
        self._deaths = 0
        self._events: dict[str, Events] = {}  # of every request that runs or waits, by its id
        self._forgetting: set[asyncio.Future[None]] = set()  # until the device's thread has forgotten
        self._queue: SimpleQueue[Command | None] = SimpleQueue()  # for the device's thread; None = stop

    @property
    def failure(self) -> str | None:
        """Why it can't answer, in words for people; None if it can, or is loading for the first time."""
        return None if self.death is None or self.loaded else str(self.death) or type(self.death).__name__

    async def settled(self) -> bool:
        """Once the first engine is loaded, or has failed: whether it can answer."""
        await self._settled.wait()
        return self.status == "ready"

    @property
    def seconds_left(self) -> float | None:
        """Until the model is loaded, by how long it took before; None if it isn't loading, or takes longer (a first start compiles)."""
        left = self._expected_seconds - (time.monotonic() - self._loading_since)
        return left if self.status == "loading" and left > 0 else None

    @property
    def step_seconds(self) -> float | None:
        """Since the device began the step that it is at; None while it has nothing to do."""
        return self._pace.step_seconds

    async def run(self) -> None:
        """Keeps an engine running until `stop()`; returns early once the model can't be loaded, keeps dying, or hangs."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="device")
        try:
            while not self._stopping and self.status != "failed":
                self._loading_since = time.monotonic()
                if await self._run_engine(loop, thread):
                    await asyncio.sleep(RESTART_PAUSE_SECONDS if self.status == "loading" else 0)
        finally:
            self.stop()
            self._fail_all(NotReadyError("The engine is stopping."))
            thread.shutdown(wait=False)

    async def _run_engine(self, loop: asyncio.AbstractEventLoop, thread: ThreadPoolExecutor) -> bool:
        """One engine from its loading to its end → whether it died. On return nothing here holds it any more."""
        self._pace = Pace(self._patience)
        life = loop.run_in_executor(thread, self._drive, loop)
        hanging = asyncio.create_task(self._pace.until_hung())
        ends: list[asyncio.Future[Any]] = [life, hanging]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if life.done():
            hanging.cancel()
            death = life.exception()
        else:
            death = HungError(f"The device has not finished a step for {hanging.result():.0f} seconds: it hangs.")
        if death is not None:
            self._handle_death(death)
        return death is not None

    def stop(self) -> None:
        """Abort what runs and let `run()` return once the thread has finished its step."""
        self._stopping = True
        for request_id in self._events:
            self._queue.put(partial(abort, request_id))
        self._queue.put(None)

    def prepare(self, request: Request) -> Request:
        """The request with the CPU's part of the work done, if there is an engine yet. Takes time; any thread may call it."""
        loaded = self.loaded
        return loaded.prepare(request) if loaded else request

    async def stream(self, request: Request) -> AsyncGenerator[Event | None]:
        """The request's events; None every few seconds while there is nothing to say. Closing it aborts the request.

        Raises OverloadedError, NotReadyError, or the error that the engine ended the request with.
        """
        await self._until_ready()
        events, ended = self._submit(request), False
        try:
            while not ended:
                event = await next_event(events)
                ended = isinstance(event, Done | EngineError)
                if isinstance(event, EngineError):
                    raise event
                if isinstance(event, Done):
                    self._deaths = 0
                yield event
        finally:
            del self._events[request.id]
            if not ended:
                self._queue.put(partial(abort, request.id))

    async def forget(self, pictures: Sequence[str]) -> None:
        """Returns when the engine keeps nothing of them. Raises NotReadyError, and OSError of a disk that does not let go of a file."""
        await self._until_ready()
        loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        self._forgetting.add(done)
        done.add_done_callback(self._forgetting.discard)

        def forget(engine: ServedEngine) -> None:
            try:
                engine.forget(pictures)
            except OSError as error:
                loop.call_soon_threadsafe(settle, done, error)
            else:
                loop.call_soon_threadsafe(settle, done, None)

        self._queue.put(forget)
        await done

    async def _until_ready(self) -> None:
        """Waits for a model that is nearly loaded. Raises NotReadyError, with the seconds to wait, for one that is not."""
        if self.status == "loading" and (self.seconds_left or 0) <= self._patience_seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_seconds):  # `wait_for` would start a task first, and let later askers go first
                    await self._settled.wait()
        if self._stopping and self.status != "failed":
            raise NotReadyError("The engine is stopping.")
        if self.status == "failed":
            raise NotReadyError(f"The model could not be loaded: {self.failure}", retry_after=60)
        if self.status == "loading":
            raise NotReadyError("The model is still loading; try again shortly.", retry_after=max(1, round(self.seconds_left or 1)))

    def _submit(self, request: Request) -> Events:
        """Hands the request to the device's thread → where its events arrive. Raises OverloadedError."""
        if len(self._events) >= self._capacity:
            raise OverloadedError(f"{len(self._events)} requests run or wait, which is the limit; try again later.", retry_after=10)
        events: Events = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def emit(event: Event | EngineError) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        self._events[request.id] = events
        self._queue.put(partial(add, request, emit))
        return events

    def _handle_death(self, death: BaseException) -> None:
        self._deaths += 1
        self._metrics.restarted()
        hopeless = self.loaded is None or self._deaths > RESTARTS or isinstance(death, HungError)
        self.status = "failed" if hopeless else "loading"
        log.error("worker died", status=self.status, error=str(death), exc_info=None if isinstance(death, EngineError) else death)
        forget_frames(death)
        self.loaded, self.death = None, death
        if hopeless:
            self._settled.set()
        else:
            self._settled.clear()
        self._queue = SimpleQueue()
        self._fail_all(NotReadyError("The engine's worker failed and is being restarted; ask again.", round(self._expected_seconds) + 1))

    def _fail_all(self, error: EngineError) -> None:
        for events in self._events.values():
            events.put_nowait(error)
        for done in list(self._forgetting):
            settle(done, error)

    # From here on: the device's thread.

    def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._deaths:
            gc.collect()  # a dead engine lies in cycles, and the next one needs its memory
        loaded = self._load()
        loop.call_soon_threadsafe(self._set_ready, loaded)
        queue, pace, busy = self._queue, self._pace, False
        while True:
            while not (busy and queue.empty()):
                command = queue.get()
                if command is None:
                    return
                command(loaded.engine)
                busy, command = True, None  # or the last request's pictures would stay until the next one
            pace.begin()
            busy = loaded.engine.step()
            pace.end()

    def _set_ready(self, loaded: Loaded) -> None:
        self.loaded, self.status = loaded, "ready"
        self._settled.set()


def add(request: Request, emit: Callable[[Event | EngineError], None], engine: ServedEngine) -> None:
    engine.add(request, emit)


def abort(request_id: str, engine: ServedEngine) -> None:
    engine.abort(request_id)


def settle(done: asyncio.Future[None], error: Exception | None) -> None:
    """Ends what is waited for, unless nobody waits any more."""
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


async def next_event(events: Events) -> Event | EngineError | None:
    """None if there is none within a few seconds."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await events.get()
    except TimeoutError:
        return None


def forget_frames(error: BaseException | None) -> None:
    """Frees the local variables of every function that `error` and its causes passed through: weights, cache, graphs."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
