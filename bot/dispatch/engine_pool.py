"""The engines as the dispatcher sees them: how many rows each has, what runs there, and whether it answers at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from bot.backoff import growing_pause
from bot.contracts import Engine, EngineState
from bot.errors import BotError, EngineRefused
from bot.store.jobs import WaitingJob
from engine.api import Health

READY_POLL, AWAY_POLL = 10.0, 1.0  # seconds between looks at /health
GROWTH = 1.5  # of the second, with every look that failed
AWAY_LONGEST, FAULTY_LONGEST = 10.0, 60.0  # an engine comes back by itself; a fault is mended by somebody

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class PooledEngine:
    """One engine and the jobs that it runs, by their id."""

    engine: Engine
    health: Health | None = None
    running: dict[int, WaitingJob] = field(default_factory=dict)
    away: asyncio.Event = field(default_factory=asyncio.Event)
    rest: float = 0.0  # seconds that it asked for before the next look
    refusal: EngineRefused | None = None  # what somebody has to mend before it can answer
    misses: int = 0  # looks that failed in a row
    failures: int = 0  # answers that it did not make in a row, though it seemed ready
    told: str = ""  # of its state, in the log

    @property
    def rows(self) -> int:
        return self.health.rows if self.health and self.health.status == "ready" else 0

    @property
    def free(self) -> int:
        return self.rows - sum(job.rows for job in self.running.values())

    def lost(self, rest: float = 0.0) -> None:
        """It does not answer: nothing more goes there until it does; it is not asked for `rest` seconds."""
        self.health, self.rest = None, rest
        self.failures += 1
        self.away.set()

    def proved(self) -> None:
        """It made an answer."""
        self.failures = 0

    def seen(self, health: Health) -> None:
        """A look that found it. Which model it has is said once."""
        self.health, self.refusal, self.misses = health, None, 0
        if health.status == "ready" and self._is_news(f"ready {health.model}"):
            log.info("engine_ready", engine=self.engine.name, model=health.model)

    def missed(self, error: BotError) -> None:
        """A look that failed. Why is said once, until it is another reason."""
        self.health, self.refusal = None, error if isinstance(error, EngineRefused) else None
        self.misses += 1
        if self._is_news(str(error)):
            say = log.error if self.refusal else log.warning
            say("engine_refuses" if self.refusal else "engine_away", engine=self.engine.name, reason=str(error))

    @property
    def pause(self) -> float:
        """Seconds until the next look, after one that failed or an answer that was not made."""
        longest = FAULTY_LONGEST if self.refusal or self.failures else AWAY_LONGEST
        grown = growing_pause(max(self.misses, self.failures) - 1, AWAY_POLL, GROWTH, longest)
        rest, self.rest = self.rest, 0.0
        return max(rest, AWAY_POLL, grown)

    def _is_news(self, state: str) -> bool:
        told, self.told = self.told, state
        return told != state


class EnginePool:
    """All engines."""

    def __init__(self, pool: Iterable[PooledEngine]) -> None:
        self._pool = tuple(pool)

    @property
    def rows(self) -> int:
        return sum(pooled.rows for pooled in self._pool)

    @property
    def running(self) -> tuple[WaitingJob, ...]:
        return tuple(job for pooled in self._pool for job in pooled.running.values())

    def have_room(self) -> bool:
        return any(pooled.free > 0 for pooled in self._pool)

    def held(self) -> Counter[str]:
        """Rows by person."""
        held = Counter[str]()
        for job in self.running:
            held[job.person] += job.rows
        return held

    def best(self, job: WaitingJob) -> PooledEngine | None:
        """The emptiest engine with room for the job. One with more beams than any has rows gets an engine to itself, which decides."""
        fits_nowhere = all(job.rows > pooled.rows for pooled in self._pool)
        rooms = [pooled for pooled in self._pool if job.rows <= pooled.free or (fits_nowhere and pooled.rows and not pooled.running)]
        return max(rooms, key=lambda pooled: pooled.free, default=None)

    @property
    def refusal(self) -> EngineRefused | None:
        """Why none of the engines will answer until somebody mends something; None: one answers, or may come back by itself."""
        refusals = [pooled.refusal for pooled in self._pool]
        return refusals[0] if refusals and all(refusals) else None

    def states(self) -> tuple[EngineState, ...]:
        return tuple(
            EngineState(pooled.engine.name, pooled.health, len(pooled.running), pooled.refusal.fault if pooled.refusal else None)
            for pooled in self._pool
        )

    async def watch(self, changed: Callable[[], None]) -> None:
        """Keep looking at every engine's health, until cancelled; `changed` is called when there may be more room."""
        async with asyncio.TaskGroup() as tasks:
            for pooled in self._pool:
                tasks.create_task(_watch(pooled, changed))


async def _watch(pooled: PooledEngine, changed: Callable[[], None]) -> NoReturn:
    while True:
        pooled.away.clear()
        before = pooled.rows, pooled.refusal
        try:
            pooled.seen(await pooled.engine.health())
        except BotError as error:
            pooled.missed(error)
        if (pooled.rows, pooled.refusal) != before:
            changed()
        await _pause(pooled)


async def _pause(pooled: PooledEngine) -> None:
    """Between two looks; an engine that was lost is looked at sooner."""
    if pooled.rows:
        try:
            async with asyncio.timeout(READY_POLL):
                await pooled.away.wait()
        except TimeoutError:
            return
    await asyncio.sleep(pooled.pause)
