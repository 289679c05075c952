"""Explanations are worked on between others' steps, for a twentieth of the time, and at once when nobody else waits."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import pairwise

import torch

from engine.explain.schedule import SHARE, ExplanationSchedule
from engine.explanation import ExplainedAnswer

DONE = ExplainedAnswer(model="m", pictures=(), prompt=(), answer=(), seconds=0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def work(clock: Clock, pieces: int, seconds: float) -> Generator[None, None, ExplainedAnswer]:
    for _ in range(pieces):
        clock.now += seconds
        yield
    return DONE


def steps(clock: Clock, schedule: ExplanationSchedule, *, busy: bool) -> Iterator[float]:
    """The time at which each piece was done, between steps of a hundredth of a second."""
    while True:
        clock.now += 0.01
        name = schedule.next(busy=busy)
        if name is None:
            continue
        yield clock.now
        if schedule.advance(name) is not None:
            return


def test_others_lose_a_twentieth_at_most() -> None:
    clock = Clock()
    schedule = ExplanationSchedule(torch.device("cpu"), clock)
    schedule.add("one", work(clock, 8, 0.004))
    begun = list(steps(clock, schedule, busy=True))
    assert SHARE * (begun[-1] - begun[0]) * 1.001 >= 8 * 0.004
    assert schedule.last_seconds is not None
    assert abs(schedule.last_seconds - 0.032) < 1e-9


def test_when_nobody_waits_every_step_does_a_piece() -> None:
    clock = Clock()
    schedule = ExplanationSchedule(torch.device("cpu"), clock)
    schedule.add("one", work(clock, 5, 0.1))
    begun = list(steps(clock, schedule, busy=False))
    assert max(later - sooner for sooner, later in pairwise(begun)) < 0.12


def test_what_is_dropped_is_not_worked_on() -> None:
    clock = Clock()
    schedule = ExplanationSchedule(torch.device("cpu"), clock)
    schedule.add("one", work(clock, 5, 0.1))
    schedule.add("two", work(clock, 0, 0.1))
    schedule.discard("one")
    schedule.discard("three")
    assert schedule.next(busy=False) == "two"
    assert schedule.advance("two") == DONE
    assert schedule.next(busy=False) is None
