"""One greedy person does not make the others wait: shown on recorded arrivals, against first come, first served."""

from __future__ import annotations

import csv
import heapq
import pickle
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.dispatch.fair_queue import QUANTUM, REMEMBERED, FairQueue
from bot.store.jobs import WaitingJob

RECORDED = Path(__file__).parents[1] / "data" / "arrivals.csv"
PROMPT, LONGEST, SPEED = 100, 300, 30.0  # tokens, tokens, tokens a second of one row
GREEDY = "greedy"


@dataclass(frozen=True)
class Arrival:
    at: float
    person: str
    beams: int
    tokens: int


def recorded() -> list[Arrival]:
    with RECORDED.open() as file:
        return [Arrival(float(at), person, int(beams), int(tokens)) for at, person, beams, tokens in csv.reader(file)]


def floods() -> list[Arrival]:
    """Two hundred long questions at a time, every ten minutes: more than the engine can answer in the hour."""
    return [Arrival(600.0 * flood + n, GREEDY, 1, LONGEST) for flood in range(6) for n in range(200)]


@dataclass
class Simulation:
    """The dispatcher's decisions in virtual time, on one engine with `rows` rows."""

    rows: int
    fair: bool
    queue: FairQueue = field(default_factory=FairQueue)
    waiting: list[tuple[WaitingJob, Arrival]] = field(default_factory=list)
    running: list[tuple[float, int, WaitingJob, Arrival]] = field(default_factory=list)
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def run(self, arrivals: Sequence[Arrival]) -> dict[str, list[float]]:
        """Seconds from asking to the whole answer, by person."""
        for number, arrival in enumerate(sorted(arrivals, key=lambda a: a.at)):
            self._finish_until(arrival.at)
            cost = PROMPT + LONGEST * arrival.beams
            self.waiting.append((WaitingJob(number, number, "channel", arrival.person, cost, arrival.beams), arrival))
            self._start(arrival.at)
        self._finish_until(float("inf"))
        return self.waits

    def _finish_until(self, until: float) -> None:
        while self.running and self.running[0][0] <= until:
            now, _, job, arrival = heapq.heappop(self.running)
            self.queue.settle(job, PROMPT + arrival.tokens * arrival.beams)
            self.waits[job.person].append(now - arrival.at)
            self._start(now)

    def _start(self, now: float) -> None:
        while (chosen := self._choose(now)) is not None and chosen[0].rows <= self.rows - sum(job.rows for _, _, job, _ in self.running):
            self.waiting.remove(chosen)
            self.queue.charge(chosen[0])
            heapq.heappush(self.running, (now + chosen[1].tokens / SPEED, chosen[0].id, *chosen))

    def _choose(self, now: float) -> tuple[WaitingJob, Arrival] | None:
        if not self.fair:
            return self.waiting[0] if self.waiting else None
        fetchable: dict[str, tuple[WaitingJob, Arrival]] = {}
        for job, arrival in self.waiting:
            fetchable.setdefault(job.person, (job, arrival))
        held = Counter[str]()
        for _, _, job, _ in self.running:
            held[job.person] += job.rows
        may = self.queue.within_share([job for job, _ in fetchable.values()], held, self.rows, now)
        return fetchable[self.queue.next(may).person] if may else None


def p95(waits: dict[str, list[float]]) -> float:
    others = sorted(wait for person, several in waits.items() if person != GREEDY for wait in several)
    return others[int(len(others) * 0.95)]


@pytest.mark.parametrize("rows", [6, 8])
def test_a_greedy_person_lengthens_the_others_wait_by_half_at_most(rows: int) -> None:
    alone = p95(Simulation(rows, fair=True).run(recorded()))
    together = p95(Simulation(rows, fair=True).run(recorded() + floods()))
    assert together <= 1.5 * alone


@pytest.mark.parametrize("rows", [6, 8])
def test_first_come_first_served_would_not_hold_that(rows: int) -> None:
    alone = p95(Simulation(rows, fair=False).run(recorded()))
    together = p95(Simulation(rows, fair=False).run(recorded() + floods()))
    assert together > 5 * alone


def test_fairness_costs_nothing_when_nobody_is_greedy() -> None:
    fair, first_come = (p95(Simulation(8, fair=fair).run(recorded())) for fair in (True, False))
    assert fair <= 1.1 * first_come


costs = st.integers(min_value=1, max_value=2_000)


def serve(jobs: Sequence[WaitingJob], stop: Callable[[Counter[str]], bool]) -> Counter[str]:
    """Tokens served by person until `stop`."""
    queue, waiting, served = FairQueue(), list(jobs), Counter[str]()
    while waiting and not stop(served):
        fetchable = {(job.channel, job.person): job for job in reversed(waiting)}
        job = queue.next(list(fetchable.values()))
        queue.charge(job)
        waiting.remove(job)
        served[job.person] += job.cost
    return served


@given(greedy=st.lists(costs, min_size=5, max_size=40), modest=st.lists(costs, min_size=5, max_size=40))
def test_two_who_both_wait_are_served_alike(greedy: list[int], modest: list[int]) -> None:
    jobs = [WaitingJob(n, n, "c", "greedy", cost, 1) for n, cost in enumerate(greedy)]
    jobs += [WaitingJob(100 + n, 100 + n, "c", "modest", cost, 1) for n, cost in enumerate(modest)]
    total = Counter(greedy=sum(greedy), modest=sum(modest))
    served = serve(jobs, lambda served: any(served[person] >= total[person] for person in total))
    assert abs(served["greedy"] - served["modest"]) <= 2 * max(greedy + modest) + QUANTUM


@given(busy=st.integers(1, 30))
def test_a_channel_full_of_people_does_not_outweigh_another_channel(busy: int) -> None:
    crowd = [WaitingJob(n, n, "crowd", f"person {n % busy}", 100, 1) for n in range(120)]
    few = [WaitingJob(200 + n, 200 + n, "quiet", "one", 100, 1) for n in range(20)]
    served = serve(crowd + few, lambda served: served["one"] >= 2_000)
    assert sum(served.values()) - served["one"] <= 2_000 + 200


def test_a_newcomer_goes_next_whatever_waits() -> None:
    queue = FairQueue()
    backlog = [WaitingJob(n, n, "c", "greedy", 500, 1) for n in range(50)]
    for job in backlog[:3]:
        assert queue.next([job]) is job
        queue.charge(job)
    newcomer = WaitingJob(99, 99, "c", "new", 900, 1)
    assert queue.next([backlog[3], newcomer]) is newcomer


def test_what_was_not_used_is_given_back() -> None:
    queue = FairQueue()
    brief, long = (WaitingJob(n, n, "c", person, 1_000, 1) for n, person in enumerate(("brief", "long")))
    for job in (brief, long):
        queue.charge(job)
    queue.settle(brief, 50)
    assert queue.next([long, brief]) is brief


def test_the_line_is_shown_in_the_order_of_serving_and_nothing_moves() -> None:
    queue = FairQueue()
    greedy = [WaitingJob(n, n, "c", "greedy", 100, 1) for n in range(3)]
    modest = WaitingJob(9, 9, "c", "modest", 100, 1)
    line = [*greedy, modest]
    assert [*queue.order(line)] == [*queue.order(line)] == [greedy[0], modest, *greedy[1:]]


turns = st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["ann", "ben", "eve"]), costs)


@given(before=st.lists(turns, max_size=12), waiting=st.lists(turns, max_size=12))
def test_the_line_is_shown_as_it_is_served_whoever_was_served_before(
    before: list[tuple[str, str, int]], waiting: list[tuple[str, str, int]]
) -> None:
    queue = FairQueue()
    for number, (channel, person, cost) in enumerate(before):
        queue.charge(WaitingJob(number, number, channel, person, cost, 1))
    line = [WaitingJob(number, number, channel, person, cost, 1) for number, (channel, person, cost) in enumerate(waiting)]
    shown, served = [*queue.order(line)], []
    while left := [job for job in line if job not in served]:
        fetchable = {(job.channel, job.person): job for job in reversed(left)}
        served.append(
            queue.next([fetchable[flow] for flow in dict.fromkeys((job.channel, job.person) for job in line) if flow in fetchable])
        )
        queue.charge(served[-1])
    assert served == shown


def test_strangers_who_ask_once_are_not_remembered_for_ever() -> None:
    queue, sizes = FairQueue(), {}
    for number in range(3 * REMEMBERED):
        job = WaitingJob(number, number, f"c{number}", f"p{number}", 300, 1)
        assert queue.next([job]) is job
        queue.charge(job)
        queue.settle(job, 100)
        if number in (REMEMBERED, 3 * REMEMBERED - 1):
            sizes[number] = len(pickle.dumps(queue))
    assert sizes[3 * REMEMBERED - 1] < 1.5 * sizes[REMEMBERED]


def test_a_share_grows_when_the_others_are_gone() -> None:
    queue = FairQueue()
    mine = WaitingJob(1, 1, "c", "me", 100, 1)
    other = WaitingJob(2, 2, "c", "other", 100, 1)
    assert queue.within_share([mine, other], {"me": 4}, rows=8, now=0.0) == [other]
    assert queue.within_share([mine], {"me": 4}, rows=8, now=60.0) == []
    assert queue.within_share([mine], {"me": 4}, rows=8, now=600.0) == [mine]


def test_who_holds_nothing_is_never_kept_out_by_the_share() -> None:
    beams = WaitingJob(1, 1, "c", "me", 100, 10)
    assert FairQueue().within_share([beams], {}, rows=1, now=0.0) == [beams]
