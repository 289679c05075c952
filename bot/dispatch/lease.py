"""Keeps this bot's lease on its jobs alive, and takes over the jobs of bots that are dead."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf
from time import monotonic
from typing import Final

from bot.store import jobs
from bot.store.database import Database
from bot.store.jobs import OwnersLoad, Renewal

HEARTBEAT_SECONDS: Final = 3.0  # between two of this bot's
DEAD_SECONDS = 12.0  # without a heartbeat, after which other bots take over


class Lease:
    """This bot's. `name` tells it from others on the same database; it has to be the same after a restart."""

    def __init__(self, database: Database, name: str, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self.name = name
        self._clock = clock
        self._renewed = float("-inf")  # when, on the steady clock

    @property
    def dead_after(self) -> float:
        """Seconds without a heartbeat after which another bot is taken for dead. Infinite while our own last one is late: the database was
        away for all then, or this process was stopped, and the others get time for theirs."""
        return DEAD_SECONDS if self._clock() - self._renewed < DEAD_SECONDS else inf

    async def renew(self, platforms: Collection[str], held: Collection[int]) -> Renewal:
        """Say that this bot lives and really runs the jobs `held`, and take over what is nobody's on these platforms."""
        renewed = await self._database.write(jobs.renew, self.name, platforms, held, self.dead_after)
        self._renewed = self._clock()
        return renewed


def allowed_rows(rows: int, name: str, loads: dict[str, OwnersLoad]) -> int:
    """How many of the engines' rows a bot may take while others use the same engines: a share by people, and what the others leave."""
    people = sum(load.people for load in loads.values())
    if not people or name not in loads:
        return rows
    needed = (min(load.rows, rows * load.people / people) for owner, load in loads.items() if owner != name)
    return max(rows - int(sum(needed)), 1)
