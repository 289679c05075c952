"""The engines as the dispatcher sees them: how many rows each has, what runs there, and whether it answers at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from bot.contracts import Engine, EngineState
from bot.errors import BotError
from bot.jobs import Waiting
from engine.api import Health

READY_POLL, AWAY_POLL = 10.0, 1.0  # seconds between looks at /health

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lane:
    """One engine and the jobs that it runs, by their id."""

    engine: Engine
    health: Health | None = None
    running: dict[int, Waiting] = field(default_factory=dict)
    away: asyncio.Event = field(default_factory=asyncio.Event)
    rest: float = 0.0  # seconds that it asked for before the next look

    @property
    def rows(self) -> int:
        return self.health.rows if self.health and self.health.status == "ready" else 0

    @property
    def free(self) -> int:
        return self.rows - sum(job.rows for job in self.running.values())

    def lost(self, rest: float = 0.0) -> None:
        """It does not answer: nothing more goes there until it does; it is not asked for `rest` seconds."""
        self.health, self.rest = None, rest
        self.away.set()


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

    def states(self) -> tuple[EngineState, ...]:
        return tuple(EngineState(lane.engine.name, lane.health, len(lane.running)) for lane in self._lanes)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Keep looking at every engine's health, until cancelled; `changed` is called when there may be more room."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(_watch(lane, changed))


async def _watch(lane: Lane, changed: Callable[[], None]) -> NoReturn:
    while True:
        lane.away.clear()
        before = lane.rows
        try:
            lane.health = await lane.engine.health()
        except BotError as error:
            if lane.health is not None:
                log.warning("engine_away", engine=lane.engine.name, reason=str(error))
            lane.health = None
        if lane.rows != before:
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
    rest, lane.rest = lane.rest, 0.0
    await asyncio.sleep(max(AWAY_POLL, rest))
