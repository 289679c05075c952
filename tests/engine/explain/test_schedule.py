"""Explanations are worked on between others' steps, with time that was saved up for them, and at once when nobody else waits."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import pairwise

import pytest
import torch

from engine.explain.schedule import SHARE, ExplanationSchedule
from engine.explanation import ExplainedAnswer

DONE = ExplainedAnswer(model="m", pictures=(), prompt=(), answer=(), seconds=0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def each(clock: Clock, pieces: Sequence[float]) -> Generator[None, None, ExplainedAnswer]:
    """Seconds of each piece."""
    for seconds in pieces:
        clock.now += seconds
        yield
    return DONE


def work(clock: Clock, pieces: int, seconds: float) -> Generator[None, None, ExplainedAnswer]:
    return each(clock, [seconds] * pieces)


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


def test_others_lose_no_more_than_the_share_at_any_time() -> None:
    """Pieces that take two, twenty and two hundred times as long as the ones before: only the first of a kind is owed for."""
    clock, begun = Clock(), 0.0
    schedule = ExplanationSchedule(torch.device("cpu"), clock)
    pieces = [0.001] * 3 + [0.02] * 3 + [0.2] * 3 + [0.001] * 20
    schedule.add("one", each(clock, pieces))
    spent, owed = 0.0, max(pieces)  # at most one piece takes longer than what was saved for it
    for at, when in enumerate(steps(clock, schedule, busy=True)):
        assert spent <= SHARE * (when - begun) + owed
        spent += [*pieces, 0.0][at]
    assert sum(pieces) <= SHARE * (clock.now - begun) * 1.001
    assert schedule.last_seconds == pytest.approx(sum(pieces))


def test_a_quiet_time_saves_nothing() -> None:
    clock = Clock()
    schedule = ExplanationSchedule(torch.device("cpu"), clock)
    schedule.add("one", work(clock, 2, 0.01))
    assert schedule.next(busy=False) == "one"
    clock.now += 3600
    assert schedule.next(busy=True) is None
    clock.now += 3600
    assert schedule.next(busy=True) == "one"
    schedule.advance("one")
    assert schedule.next(busy=True) is None


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
