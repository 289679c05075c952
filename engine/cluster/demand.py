"""How many replicas are wanted: as many as what runs and what waits would fill. What waits, waits at the bots, who say how much it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil

KNOWN_SECONDS = 30.0  # that a bot's word counts: it repeats it every ten


class Demand:
    """How many questions wait at each bot. A bot that says nothing more has none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}  # by bot: when, and how many

    def say(self, bot: str, questions: int) -> None:
        self._said[bot] = self._clock(), questions

    def waiting(self) -> int:
        since = self._clock() - KNOWN_SECONDS
        self._said = {bot: said for bot, said in self._said.items() if said[0] > since}
        return sum(questions for _, questions in self._said.values())


def replicas_wanted(running: float, waiting: float, rows: float) -> int:
    """`rows`: how many questions one replica answers at once."""
    return ceil((running + waiting) / rows)
