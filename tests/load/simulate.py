"""The fair queue at ten thousand channels, in virtual time: the real `FairQueue` decides, and nobody sleeps.

Questions come as a Poisson process, from people in channels chosen at random. Every row of every GPU is a server; an answer takes a
gamma-distributed time. How long people wait is compared with Erlang's C formula for such a system, as docs/scaling.md has it.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import exp, lgamma, log
from random import Random

from adapters.bench.report import PERCENTILES, percentiles
from bot.dispatch.fair_queue import FairQueue
from bot.store.jobs import WaitingJob

PEOPLE = 25  # in a channel
WARM_UP = 0.1  # of the questions, which are not counted: the system begins empty


@dataclass(frozen=True, slots=True)
class System:
    """`rows`: answers at once, of all GPUs. `seconds`: of an answer on average, and `variation` its squared coefficient of variation
    (0: all take as long, 1: exponential). `load`: the share of what the rows can do that is asked of them, below 1.
    """

    channels: int
    rows: int
    seconds: float
    load: float
    variation: float = 0.5

    @property
    def rate(self) -> float:
        """Questions a second."""
        return self.load * self.rows / self.seconds


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds from a question to the start of its answer. `waited`: the share of questions that waited at all."""

    mean: float
    waited: float
    percentiles: tuple[float, ...]


def expected_wait(system: System) -> float:
    """Mean seconds in the queue: Erlang's C, by Allen and Cunneen's correction for answers that are not exponential."""
    idle = system.rows * (1 - system.load) / system.seconds
    return must_wait(system.rows, system.load) / idle * (1 + system.variation) / 2


def must_wait(rows: int, load: float) -> float:
    """Erlang's C: the probability that all rows are taken. In logarithms, since 6,400 rows have no factorial in a float."""
    offered = rows * load
    last = rows * log(offered) - lgamma(rows + 1) - log(1 - load)
    terms = [busy * log(offered) - lgamma(busy + 1) for busy in range(rows)]
    largest = max(last, *terms)
    return exp(last - largest) / (sum(exp(term - largest) for term in terms) + exp(last - largest))


@dataclass
class Line:
    """The jobs that wait, as the store gives them out: each person's oldest question in each channel."""

    waiting: dict[tuple[str, str], deque[WaitingJob]] = field(default_factory=dict)

    def add(self, job: WaitingJob) -> None:
        self.waiting.setdefault((job.channel, job.person), deque()).append(job)

    def fetchable(self) -> list[WaitingJob]:
        return [jobs[0] for jobs in self.waiting.values()]

    def oldest(self) -> WaitingJob:
        return min(self.fetchable(), key=lambda job: job.id)

    def take(self, job: WaitingJob) -> None:
        jobs = self.waiting[job.channel, job.person]
        jobs.popleft()
        if not jobs:
            del self.waiting[job.channel, job.person]


def simulate(system: System, questions: int, seed: int, *, fair: bool = True) -> Waits:
    """How long so many questions wait; else than `fair`, the one that came first goes first."""
    waits = list(_waits(system, questions, Random(seed), fair=fair))[int(questions * WARM_UP) :]
    return Waits(sum(waits) / len(waits), sum(wait > 0 for wait in waits) / len(waits), percentiles(waits))


def _waits(system: System, questions: int, random: Random, *, fair: bool) -> Iterator[float]:
    """In the order of starting."""
    queue, line, held = FairQueue(), Line(), Counter[str]()
    asked: dict[int, float] = {}
    ends: list[tuple[float, int, WaitingJob, int]] = []  # of running answers: when, a tie-breaker, the job, its tokens
    free, coming, number = system.rows, random.expovariate(system.rate), 0
    while number < questions or line.waiting:
        arrives = number < questions and (not ends or coming <= ends[0][0])
        if arrives:
            now, number = coming, number + 1
            coming += random.expovariate(system.rate)
            job = question(number, system, random)
            asked[job.id] = now
            line.add(job)
        else:
            now, _, job, used = heapq.heappop(ends)
            free, held[job.person] = free + 1, held[job.person] - 1
            if not held[job.person]:
                del held[job.person]  # as the pool counts: only who has something running
            queue.settle(job, used)
        while free and line.waiting:
            chosen = fairest(queue, line, held, system, now) if fair else line.oldest()
            if chosen is None:
                break
            queue.charge(chosen)
            line.take(chosen)
            free, held[chosen.person] = free - 1, held[chosen.person] + 1
            lasts = drawn(system, random)
            heapq.heappush(ends, (now + lasts, chosen.id, chosen, round(chosen.cost * lasts / system.seconds)))
            yield now - asked.pop(chosen.id)


def fairest(queue: FairQueue, line: Line, held: Counter[str], system: System, now: float) -> WaitingJob | None:
    """As the dispatcher chooses."""
    may = queue.within_share(line.fetchable(), held, system.rows, now)
    return queue.next(may) if may else None


def question(number: int, system: System, random: Random) -> WaitingJob:
    channel = f"discord:{random.randrange(system.channels)}"
    return WaitingJob(number, number, channel, f"{channel}/{random.randrange(PEOPLE)}", 350, 1)


def drawn(system: System, random: Random) -> float:
    """Seconds of one answer."""
    if not system.variation:
        return system.seconds
    shape = 1 / system.variation
    return random.gammavariate(shape, system.seconds / shape)


def lines(system: System, found: Waits) -> list[str]:
    """What is told of a run."""
    head = f"{system.channels:,} channels, {system.rows:,} rows, an answer in {system.seconds:g} s, load {system.load:.0%}:"
    shown = ", ".join(f"p{each} {value:.2f}" for each, value in zip(PERCENTILES, found.percentiles, strict=True))
    ways = f"{system.rate:.1f} questions a second; {found.waited:.1%} waited (formula {must_wait(system.rows, system.load):.1%}),"
    return [head, f"  {ways} {found.mean:.3f} s on average (formula {expected_wait(system):.3f}); {shown} s"]
