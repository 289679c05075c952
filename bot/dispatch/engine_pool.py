"""The engines as the dispatcher sees them: how many rows each has, what runs there, and whether it answers at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from bot.contracts import Engine, EngineState
from bot.errors import BotError, EngineRefused
from bot.store.jobs import Waiting
from engine.api import Health

READY_POLL, AWAY_POLL = 10.0, 1.0  # seconds between looks at /health
GROWTH = 1.5  # of the second, with every look that failed
AWAY_LONGEST, FAULTY_LONGEST = 10.0, 60.0  # an engine comes back by itself; a fault is mended by somebody

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lane:
    """One engine and the jobs that it runs, by their id."""

    engine: Engine
    health: Health | None = None
    running: dict[int, Waiting] = field(default_factory=dict)
    away: asyncio.Event = field(default_factory=asyncio.Event)
    rest: float = 0.0  # seconds that it asked for before the next look
    refusal: EngineRefused | None = None  # what somebody has to mend before it can answer
    misses: int = 0  # looks that failed in a row
    losses: int = 0  # answers that it did not make in a row, though it seemed ready
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
        self.losses += 1
        self.away.set()

    def proved(self) -> None:
        """It made an answer."""
        self.losses = 0

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
        longest = FAULTY_LONGEST if self.refusal or self.losses else AWAY_LONGEST
        grown = AWAY_POLL * GROWTH ** min(max(self.misses, self.losses) - 1, 20)
        rest, self.rest = self.rest, 0.0
        return max(rest, AWAY_POLL, min(longest, grown))

    def _is_news(self, state: str) -> bool:
        told, self.told = self.told, state
        return told != state


class Lanes:
    """All engines."""

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self._lanes = tuple(lanes)

    @property
    def rows(self) -> int:
        return sum(lane.rows for lane in self._lanes)

    @property
    def running(self) -> tuple[Waiting, ...]:
        return tuple(job for lane in self._lanes for job in lane.running.values())

    def have_room(self) -> bool:
        return any(lane.free > 0 for lane in self._lanes)

    def held(self) -> Counter[str]:
        """Rows by person."""
        held = Counter[str]()
        for job in self.running:
            held[job.person] += job.rows
        return held

    def best(self, job: Waiting) -> Lane | None:
        """The emptiest engine with room for the job. One with more beams than any has rows gets an engine to itself, which decides."""
        fits_nowhere = all(job.rows > lane.rows for lane in self._lanes)
        rooms = [lane for lane in self._lanes if job.rows <= lane.free or (fits_nowhere and lane.rows and not lane.running)]
        return max(rooms, key=lambda lane: lane.free, default=None)

    @property
    def refusal(self) -> EngineRefused | None:
        """Why none of the engines will answer until somebody mends something; None: one answers, or may come back by itself."""
        refusals = [lane.refusal for lane in self._lanes]
        return refusals[0] if refusals and all(refusals) else None

    def states(self) -> tuple[EngineState, ...]:
        return tuple(
            EngineState(lane.engine.name, lane.health, len(lane.running), lane.refusal.fault if lane.refusal else None)
            for lane in self._lanes
        )

    async def watch(self, changed: Callable[[], None]) -> None:
        """Keep looking at every engine's health, until cancelled; `changed` is called when there may be more room."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(_watch(lane, changed))


async def _watch(lane: Lane, changed: Callable[[], None]) -> NoReturn:
    while True:
        lane.away.clear()
        before = lane.rows, lane.refusal
        try:
            lane.seen(await lane.engine.health())
        except BotError as error:
            lane.missed(error)
        if (lane.rows, lane.refusal) != before:
            changed()
        await _pause(lane)


async def _pause(lane: Lane) -> None:
    """Between two looks; an engine that was lost is looked at sooner."""
    if lane.rows:
        try:
            async with asyncio.timeout(READY_POLL):
                await lane.away.wait()
        except TimeoutError:
            return
    await asyncio.sleep(lane.pause)
