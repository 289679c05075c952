"""Limits how fast one person may send events, and how many questions of one person or of all may wait in the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import time

from bot.access.policy import Allowance
from bot.access.policy_store import PolicyStore
from bot.config.schema import LimitOptions
from bot.errors import Ignored, Refusal
from bot.message import Incoming
from bot.numbers import print_number
from bot.store.jobs import QueueLoad
from bot.store.scoped_settings import Home

QUESTIONS = frozenset({"ask", "compare", "again", "continue"})  # commands that cost an answer
STOP = "stop"
LONGEST_PAUSE = 3600.0  # seconds; the longest pause between questions that a policy may demand
SWEEP_AT = 10_000  # people in memory; then those whose bucket is full again are dropped
LATE_SECONDS = 60.0  # an event that arrives so late counts at its sending time: the bot was away, the person was not too fast
NEAR_SECONDS = 600.0  # late questions further apart would not have waited in the queue together
HOUR_SECONDS = 3600.0


@dataclass(slots=True)
class TokenBucket:
    """How many events one person may send now; one more every cooldown."""

    left: float
    at: float  # seconds on the clock
    notified: bool = False  # the person was told that it is empty

    def spend(self, allowed: Allowance, now: float) -> float:
        """Take one event out of the bucket. 0, or the seconds to wait where it is empty."""
        if allowed.cooldown_seconds == 0:
            return 0
        self.left = min(allowed.burst, self.left + max(now - self.at, 0) / allowed.cooldown_seconds)
        self.at = max(now, self.at)
        if self.left < 1:
            return (1 - self.left) * allowed.cooldown_seconds
        self.left -= 1
        return 0

    def check(self, allowed: Allowance, now: float, refusal: str, **values: str) -> None:
        """Take one event out. An empty bucket raises Refusal with the text `refusal`, or Ignored if the person was just told."""
        wait = self.spend(allowed, now)
        notified, self.notified = self.notified, wait > 0
        if wait:
            raise (Ignored if notified else Refusal)(refusal, count=ceil(wait), **values)


class PersonLimits:
    """The limits that the configuration and the policies set. Counts are in memory only: a restart clears them."""

    def __init__(self, options: LimitOptions, policies: PolicyStore, clock: Callable[[], float] = time) -> None:
        self._options = options
        self._policies = policies
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._pauses: dict[tuple[str, Home], TokenBucket] = {}  # between a person's questions, where a policy demands it
        self.seconds_until_room: Callable[[int], int] = lambda waiting: 60  # until a queue of so many has room: whoever runs it knows
        self._late: dict[str, list[float]] = {}  # when each person's late questions were sent
        self._too_old_notified: dict[str, float] = {}  # when a place was last told that a question is too old to answer

    async def check(self, incoming: Incoming) -> None:
        """Count one event of this person, at its sending time. Raises Refusal where they have to wait or the event is too old to answer,
        and Ignored where they were just told so. `/stop` is never limited."""
        if incoming.author.alone or (incoming.command and incoming.command.name == STOP):
            return
        allowed = await self._policies.allowance(incoming.place, incoming.author)
        now = self._clock()
        sent = _sent(incoming, now)
        self._sweep(now)
        self._check_age(incoming.place.key, sent, now)
        bucket_key = incoming.author.key if sent == now else f"{incoming.author.key} late"  # late events have a bucket of their own
        bucket = self._buckets.setdefault(bucket_key, TokenBucket(allowed.burst, sent))
        if sent == now:
            bucket.at = min(bucket.at, now)  # the clock may have gone back: nobody waits until it is where it was
        bucket.check(allowed, sent, "limits.too_fast")
        if _asks(incoming):
            for home, seconds in await self._policies.question_pauses(incoming.place, incoming.author):
                pause = self._pauses.setdefault((bucket_key, home), TokenBucket(1, sent))
                if sent == now:
                    pause.at = min(pause.at, now)
                pause.check(Allowance(1, seconds, {}), sent, "limits.too_soon", pause=print_number(seconds))

    def admit(self, load: QueueLoad, incoming: Incoming) -> None:
        """Raises Refusal when this person, or all people together, have too many questions in the queue; a late question is counted
        against those sent around the same time."""
        person, now = incoming.author.key, self._clock()
        sent = _sent(incoming, now)
        late = sent < now
        near = [other for other in self._late.get(person, ()) if 0 < abs(other - sent) < NEAR_SECONDS] if late else []
        mine = len(near) if late else load.mine
        if mine >= self._options.questions_per_person:
            raise Refusal("limits.enough_of_yours", count=mine)
        if load.overall >= self._options.questions_overall:
            raise Refusal("limits.queue_full", count=load.overall, seconds=self.seconds_until_room(load.overall))
        if late:
            self._late[person] = [*near, sent]

    def _check_age(self, place: str, sent: float, now: float) -> None:
        oldest = self._options.answer_hours * HOUR_SECONDS
        if not oldest or now - sent <= oldest:
            return
        notified, self._too_old_notified[place] = self._too_old_notified.get(place), now
        refusal = Ignored if notified is not None and now - notified < oldest else Refusal
        raise refusal("limits.too_old", count=ceil(self._options.answer_hours))

    def _sweep(self, now: float) -> None:
        if len(self._buckets) >= SWEEP_AT:
            rested = self._options.burst * self._options.cooldown_seconds
            self._buckets = {person: bucket for person, bucket in self._buckets.items() if now - bucket.at < rested}
            self._late.clear()
        if len(self._pauses) >= SWEEP_AT:
            self._pauses = {bucket_key: bucket for bucket_key, bucket in self._pauses.items() if now - bucket.at < LONGEST_PAUSE}


def _asks(incoming: Incoming) -> bool:
    """Whether it asks one more question; an edit of one does not."""
    return not incoming.edited and (incoming.command is None or incoming.command.name in QUESTIONS)


def _sent(incoming: Incoming, now: float) -> float:
    """When an event counts, in Unix seconds: now, or its sending time if it arrives late. An edit happens now, however old its message."""
    sent = incoming.sent_at.timestamp()
    return sent if now - sent > LATE_SECONDS and not incoming.edited else now
