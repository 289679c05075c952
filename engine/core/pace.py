"""How long the device's steps take: one that takes far longer than those before it explain is not slow, it hangs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Patience:
    """How long a step may take: `first` seconds until one has finished, since kernels may be compiled in it; after that `least` seconds,
    or `times` as long as the longest step so far."""

    first: float = 600.0
    least: float = 60.0
    times: float = 10.0


class Pace:
    """Written by the device's thread and read by any other."""

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._begun: float | None = None
        self._longest: float | None = None

    def begin(self) -> None:
        """A step begins."""
        self._begun = self._clock()

    def end(self) -> None:
        """The step has finished."""
        if self._begun is not None:
            self._longest = max(self._longest or 0.0, self._clock() - self._begun)
        self._begun = None

    @property
    def step_seconds(self) -> float | None:
        """Since the step under way began; None while the device has nothing to do."""
        begun = self._begun
        return None if begun is None else self._clock() - begun

    @property
    def limit(self) -> float:
        """Seconds after which a step hangs."""
        return self._patience.first if self._longest is None else max(self._patience.least, self._patience.times * self._longest)

    async def until_hung(self) -> float:
        """Waits for a step that hangs → the seconds that it has taken."""
        while True:
            taken = self.step_seconds
            if taken is not None and taken > self.limit:
                return taken
            await asyncio.sleep(min(LOOK_SECONDS, self.limit / 4))
