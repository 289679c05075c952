"""How much one person, and all together, may ask: pace, places in the queue, and caps on what one answer may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic

from bot.contracts import Load
from bot.errors import Ignored, Refusal
from bot.message import Incoming
from bot.numbers import print_number
from bot.options import LimitOptions
from bot.rulebook import RuleBook
from bot.rules import Allowance
from bot.store.settings import Home

QUESTIONS = frozenset({"ask", "compare", "again", "continue"})  # commands that an answer is written for
STOP = "stop"
LONGEST_PAUSE = 3600.0  # seconds that a rule may ask for
SWEEP_AT = 10_000  # people remembered before those who rested are forgotten


@dataclass(slots=True)
class Pace:
    """A bucket of events that one person may still cause; it fills by one in each cooldown."""

    left: float
    at: float  # seconds on the clock
    told: bool = False  # that it is empty

    def spend(self, allowed: Allowance, now: float) -> float:
        """Take one event out. 0, or the seconds until there is one."""
        if allowed.cooldown_seconds == 0:
            return 0
        self.left = min(allowed.burst, self.left + (now - self.at) / allowed.cooldown_seconds)
        self.at = now
        if self.left < 1:
            return (1 - self.left) * allowed.cooldown_seconds
        self.left -= 1
        return 0

    def check(self, allowed: Allowance, now: float, refusal: str, **values: str) -> None:
        """Take one event out. Raises `refusal`, a text that says how long to wait, and Ignored when that was just said."""
        wait = self.spend(allowed, now)
        told, self.told = self.told, wait > 0
        if wait:
            raise Ignored("too fast") if told else Refusal(refusal, count=ceil(wait), **values)


class PersonLimits:
    """The limits of the configuration, kept in memory: a restart forgives."""

    def __init__(self, options: LimitOptions, rules: RuleBook, clock: Callable[[], float] = monotonic) -> None:
        self._options = options
        self._rules = rules
        self._clock = clock
        self._paces: dict[str, Pace] = {}
        self._pauses: dict[tuple[str, Home], Pace] = {}  # between a person's questions, where the rules of a place ask for them

    async def check(self, incoming: Incoming) -> None:
        """Count one event of this person. Raises Refusal that says how long to wait, and Ignored when that was just said. Who wants
        an answer to end is never told to wait."""
        if incoming.author.alone or (incoming.command and incoming.command.name == STOP):
            return
        allowed = await self._rules.allowance(incoming.place, incoming.author)
        now = self._clock()
        self._sweep(now)
        pace = self._paces.setdefault(incoming.author.key, Pace(allowed.burst, now))
        pace.check(allowed, now, "limits.too_fast")
        if _asks(incoming):
            for home, seconds in await self._rules.pauses(incoming.place, incoming.author):
                pause = self._pauses.setdefault((incoming.author.key, home), Pace(1, now))
                pause.check(Allowance(1, seconds, {}), now, "limits.too_soon", pause=print_number(seconds))

    def admit(self, load: Load) -> None:
        """Raises Refusal when this person, or everybody together, has enough questions in the queue."""
        if load.mine >= self._options.questions_per_person:
            raise Refusal("limits.enough_of_yours", count=load.mine)
        if load.overall >= self._options.questions_overall:
            raise Refusal("limits.queue_full", count=load.overall)

    def _sweep(self, now: float) -> None:
        if len(self._paces) >= SWEEP_AT:
            rested = self._options.burst * self._options.cooldown_seconds
            self._paces = {person: pace for person, pace in self._paces.items() if now - pace.at < rested}
        if len(self._pauses) >= SWEEP_AT:
            self._pauses = {whose: pace for whose, pace in self._pauses.items() if now - pace.at < LONGEST_PAUSE}


def _asks(incoming: Incoming) -> bool:
    """Whether it is one more question; a correction of one is not."""
    return not incoming.edited and (incoming.command is None or incoming.command.name in QUESTIONS)
