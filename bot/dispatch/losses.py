"""Decides when a question whose answer broke off is asked again, and when not any more: by the cause and the time, not by a count alone.

A question is at fault when its answer breaks off while others are answered. Where nobody is answered the engine is: that may pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from bot.backoff import growing_pause

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before the next try, doubled with each loss
OWN_LOSSES: Final = 5  # while others were answered, …
OWN_SECONDS: Final = 120.0  # … over so long a time: then the question is at fault
LONGEST_SECONDS: Final = 600.0  # whoever is at fault: nobody waits longer without a word


@dataclass(slots=True)
class Loss:
    """How often a job's answer broke off. Times are the clock's."""

    first: float
    until: float = 0.0  # it rests
    tries: int = 0
    own: int = 0  # losses before which another answer was made: of the first it is not asked
    made: int = -1  # answers, when it was last lost


class Losses:
    """The jobs whose answers broke off since this bot began."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._losses: dict[int, Loss] = {}
        self._made = 0

    def answer_made(self, job: int) -> None:
        """An engine made an answer: it works."""
        self._made += 1
        self.forget(job)

    def answer_lost(self, job: int) -> int | None:
        """How often it was tried, if it is not to be tried again; None: it is, after a rest."""
        now = self._clock()
        loss = self._losses.setdefault(job, Loss(now))
        loss.own += self._made > loss.made
        loss.tries, loss.made = loss.tries + 1, self._made
        loss.until = now + growing_pause(loss.tries - 1, FIRST_PAUSE, 2.0, LONGEST_PAUSE)
        lasted = now - loss.first
        return loss.tries if (loss.own >= OWN_LOSSES and lasted >= OWN_SECONDS) or lasted >= LONGEST_SECONDS else None

    def rests(self, job: int) -> bool:
        """Whether it is too early to try this one again."""
        loss = self._losses.get(job)
        return loss is not None and self._clock() < loss.until

    def forget(self, job: int) -> None:
        """It is over: answered, stopped, or refused."""
        self._losses.pop(job, None)
