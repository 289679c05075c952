"""Whose job is next: deficit round-robin over channels, and over the people within each, counted in tokens.

Shreedhar and Varghese, "Efficient Fair Queueing Using Deficit Round Robin" (1995): flows take turns; at each turn a
flow earns a quantum, and its next packet goes once its credit covers the packet's cost. Here a packet is a question,
its cost the tokens that it may take (beams count n-fold), and the two levels keep both a busy channel and a busy
person from starving others. Debts are kept in memory: a restart forgives them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import ceil

from bot.store.jobs import WaitingJob

# Tokens. Small against a job's cost (hundreds), so that one turn never serves several cheap jobs in a row.
QUANTUM = 64
ABOUT_SECONDS = 120.0  # who asked so recently still counts among those who share the engines
REMEMBERED = 1_000  # channels, and people in each, whose debts are remembered: the oldest are forgiven
LEAST_SHARE = 4  # nobody's share falls below one in so many of the rows, however many people ask


class DeficitRoundRobin:
    """Deficit round-robin over flows, each named by a key. A flow that is served takes on its job's tokens as a debt.

    Flows without debt take turns; a new flow has none and goes next. Each round pays off a quantum of every debt. Waiting earns nothing.
    """

    def __init__(self, quantum: int = QUANTUM) -> None:
        self._quantum = quantum
        self._debt: dict[str, int] = {}  # tokens; in the order of turns

    def next(self, keys: Collection[str]) -> str:
        """Whose turn it is among these flows, at least one, which all have a job. The same answer until `charge` or `refund`."""
        for key in keys:
            self._debt.setdefault(key, 0)
        rounds = min(ceil(self._debt[key] / self._quantum) for key in keys)
        if rounds > 0:
            self._pass(rounds, keys)
        return next(key for key, debt in self._debt.items() if debt <= 0 and key in keys)

    def charge(self, key: str, tokens: int) -> None:
        """Add a job's tokens to the flow's debt, and move it to the end of the order."""
        self._debt[key] = self._debt.pop(key, 0) + tokens
        if len(self._debt) > REMEMBERED:
            del self._debt[next(iter(self._debt))]

    def among(self, keys: Collection[str]) -> DeficitRoundRobin:
        """A copy that knows these flows alone."""
        copy = DeficitRoundRobin(self._quantum)
        copy._debt = {key: debt for key, debt in self._debt.items() if key in keys}
        return copy

    def refund(self, key: str, tokens: int) -> None:
        """Take tokens off the flow's debt that were charged and not used."""
        if key in self._debt:
            self._debt[key] -= tokens

    def _pass(self, rounds: int, keys: Collection[str]) -> None:
        paid = {key: max(debt - rounds * self._quantum, 0) for key, debt in self._debt.items()}
        self._debt = {key: debt for key, debt in paid.items() if debt > 0 or key in keys}


class FairQueue:
    """Picks the next of the waiting jobs; holds none itself. `now` is in seconds of any steady clock."""

    def __init__(self) -> None:
        self._channels = DeficitRoundRobin()
        self._people: dict[str, DeficitRoundRobin] = {}  # by channel, in the order of turns
        self._about: dict[str, float] = {}  # when somebody's question last waited; the longest ago first

    def next(self, fetchable: Sequence[WaitingJob]) -> WaitingJob:
        """The fairest of the fetchable jobs (at least one): each person's oldest question in each channel."""
        candidates: dict[str, dict[str, WaitingJob]] = {}
        for job in fetchable:
            candidates.setdefault(job.channel, {})[job.person] = job
        firsts = {channel: people[self._people_in(channel).next(people)] for channel, people in candidates.items()}
        return firsts[self._channels.next(firsts)]

    def within_share(self, fetchable: Sequence[WaitingJob], held: Mapping[str, int], rows: int, now: float) -> list[WaitingJob]:
        """The fetchable jobs of people who may use more rows now: nobody uses more than their share while others ask.

        `held`: rows that each person's running jobs take, of `rows` on all engines.
        """
        for job in fetchable:
            self._about.pop(job.person, None)
            self._about[job.person] = now
        while self._about and now - next(iter(self._about.values())) >= ABOUT_SECONDS:
            del self._about[next(iter(self._about))]
        about = len(self._about) + sum(person not in self._about for person in held)
        share = rows / min(max(about, 1), LEAST_SHARE)
        return [job for job in fetchable if not held.get(job.person) or held[job.person] + job.rows <= share]

    def charge(self, job: WaitingJob) -> None:
        """The job was started: its channel and its person owe its cost."""
        self._channels.charge(job.channel, job.cost)
        people = self._people[job.channel] = self._people.pop(job.channel, DeficitRoundRobin())
        people.charge(job.person, job.cost)
        if len(self._people) > REMEMBERED:
            del self._people[next(iter(self._people))]

    def settle(self, job: WaitingJob, used: int) -> None:
        """The job ended, and took `used` tokens instead of what was charged."""
        self._channels.refund(job.channel, job.cost - used)
        self._people_in(job.channel).refund(job.person, job.cost - used)

    def order(self, line: Sequence[WaitingJob]) -> Iterator[WaitingJob]:
        """The order in which these jobs would be started if no other came. Changes nothing. Each costs a look at all fetchable jobs."""
        ahead = self._among(line)
        rest: dict[tuple[str, str], deque[WaitingJob]] = {}
        for job in line:
            rest.setdefault((job.channel, job.person), deque()).append(job)
        while rest:
            job = ahead.next([jobs[0] for jobs in rest.values()])
            ahead.charge(job)
            yield job
            jobs = rest[job.channel, job.person]
            jobs.popleft()
            if not jobs:
                del rest[job.channel, job.person]

    def _people_in(self, channel: str) -> DeficitRoundRobin:
        return self._people.setdefault(channel, DeficitRoundRobin())

    def _among(self, line: Sequence[WaitingJob]) -> FairQueue:
        """A copy with the debts of these channels and people alone."""
        channels, people = {job.channel for job in line}, {job.person for job in line}
        copy = FairQueue()
        copy._channels = self._channels.among(channels)
        copy._people = {channel: turns.among(people) for channel, turns in self._people.items() if channel in channels}
        return copy
