"""The engines that jobs can go to: how many rows each has, which jobs run there, and whether it is healthy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from bot.backoff import growing_pause
from bot.engines.engine import Engine, EngineState
from bot.errors import BotError, EngineRefused
from bot.store.jobs import WaitingJob
from engine.api import Health

READY_POLL, AWAY_POLL = 10.0, 1.0  # seconds between looks at /health
GROWTH = 1.5  # of the second, with every check that failed
AWAY_LONGEST, FAULTY_LONGEST = (
    10.0,
    60.0,
)  # seconds: for one that recovers by itself, and for one that its operator has to mend

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class PooledEngine:
    """One engine with its last health and the jobs that run there, by id."""

    engine: Engine
    health: Health | None = None
    running: dict[int, WaitingJob] = field(default_factory=dict)
    away: asyncio.Event = field(default_factory=asyncio.Event)
    rest: float = 0.0  # seconds that it asked for (Retry-After) before the next look
    refusal: EngineRefused | None = None  # why it refuses every request, until its operator mends it
    misses: int = 0  # health checks that failed in a row
    failures: int = 0  # answers that failed in a row, though it seemed ready
    logged: str = ""  # its state as the log says it

    @property
    def rows(self) -> int:
        return self.health.rows if self.health and self.health.status == "ready" else 0

    @property
    def job_ids(self) -> frozenset[int]:
        return frozenset(self.running)

    @property
    def free(self) -> int:
        return self.rows - sum(job.rows for job in self.running.values())

    def answer_failed(self, rest: float = 0.0) -> None:
        """An answer failed: no more jobs go there until a health check succeeds, which waits for `rest` seconds at least."""
        self.health, self.rest = None, rest
        self.failures += 1
        self.away.set()

    def answer_made(self) -> None:
        """It made an answer: earlier failures count no more."""
        self.failures = 0

    def check_succeeded(self, health: Health) -> None:
        """A health check succeeded. Its model is logged once."""
        self.health, self.refusal, self.misses = health, None, 0
        if health.status == "ready" and self._is_news(f"ready {health.model}"):
            log.info("engine_ready", engine=self.engine.name, model=health.model)

    def check_failed(self, error: BotError) -> None:
        """A health check failed. The reason is logged once, until there is another."""
        self.health, self.refusal = None, error if isinstance(error, EngineRefused) else None
        self.misses += 1
        if self._is_news(str(error)):
            say = log.error if self.refusal else log.warning
            say("engine_refuses" if self.refusal else "engine_away", engine=self.engine.name, reason=str(error))

    @property
    def pause(self) -> float:
        """Seconds until the next health check, after one that failed or after an answer that failed: longer each time, up to a limit."""
        longest = FAULTY_LONGEST if self.refusal or self.failures else AWAY_LONGEST
        grown = growing_pause(max(self.misses, self.failures) - 1, AWAY_POLL, GROWTH, longest)
        rest, self.rest = self.rest, 0.0
        return max(rest, AWAY_POLL, grown)

    def _is_news(self, state: str) -> bool:
        logged, self.logged = self.logged, state
        return logged != state


class EnginePool:
    """All engines of this bot. `shared`: other bots on the same database ask them, too."""

    def __init__(self, pool: Iterable[PooledEngine], *, shared: bool = False) -> None:
        self._pool = tuple(pool)
        self.shared = shared
        self.allowed: int | None = None  # rows that this bot's jobs may take, for the others' sake; None: all

    @property
    def rows(self) -> int:
        return sum(pooled.rows for pooled in self._pool)

    @property
    def running(self) -> tuple[WaitingJob, ...]:
        return tuple(job for pooled in self._pool for job in pooled.running.values())

    def note_waiting(self, questions: int) -> None:
        for pooled in self._pool:
            pooled.engine.note_waiting(questions)

    @property
    def used(self) -> int:
        """The rows that this bot's running jobs take."""
        return sum(job.rows for job in self.running)

    def have_room(self) -> bool:
        return self._is_allowed(1) and any(pooled.free > 0 for pooled in self._pool)

    def _is_allowed(self, rows: int) -> bool:
        """Whether so many rows more leave the other bots theirs; one job may always run."""
        return self.allowed is None or not self.used or self.used + rows <= self.allowed

    def rows_by_person(self) -> Counter[str]:
        """The rows that each person's running jobs take, by the person's key."""
        held = Counter[str]()
        for job in self.running:
            held[job.person] += job.rows
        return held

    def best(self, job: WaitingJob) -> PooledEngine | None:
        """The engine with most free rows, if the job fits there. A job with more beams than any engine has rows waits for an idle engine,
        which may take or refuse it. Other bots keep their share."""
        if not self._is_allowed(job.rows):
            return None
        fits_nowhere = all(job.rows > pooled.rows for pooled in self._pool)
        rooms = [pooled for pooled in self._pool if job.rows <= pooled.free or (fits_nowhere and pooled.rows and not pooled.running)]
        return max(rooms, key=lambda pooled: pooled.free, default=None)

    @property
    def refusal(self) -> EngineRefused | None:
        """Why every engine refuses until its operator mends something; None: one is healthy, or may recover by itself."""
        refusals = [pooled.refusal for pooled in self._pool]
        return refusals[0] if refusals and all(refusals) else None

    def states(self) -> tuple[EngineState, ...]:
        return tuple(
            EngineState(pooled.engine.name, pooled.health, len(pooled.running), pooled.refusal.fault if pooled.refusal else None)
            for pooled in self._pool
        )

    async def watch(self, changed: Callable[[], None]) -> None:
        """Check every engine's health now and then, until cancelled; call `changed` when rows or refusals changed."""
        async with asyncio.TaskGroup() as tasks:
            for pooled in self._pool:
                tasks.create_task(_watch(pooled, changed))


async def _watch(pooled: PooledEngine, changed: Callable[[], None]) -> NoReturn:
    while True:
        pooled.away.clear()
        before = pooled.rows, pooled.refusal
        try:
            pooled.check_succeeded(await pooled.engine.health())
        except BotError as error:
            pooled.check_failed(error)
        if (pooled.rows, pooled.refusal) != before:
            changed()
        await _pause(pooled)


async def _pause(pooled: PooledEngine) -> None:
    """Wait for the next health check; an engine whose answer failed is checked sooner."""
    if pooled.rows:
        try:
            async with asyncio.timeout(READY_POLL):
                await pooled.away.wait()
        except TimeoutError:
            return
    await asyncio.sleep(pooled.pause)
