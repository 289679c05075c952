"""Whether a question is at fault is decided by what happens to others meanwhile, and by the time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.dispatch.losses import LONGEST_SECONDS, OWN_LOSSES, OWN_SECONDS, Losses

POISON, OTHER = 1, 2


class Times:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Times:
    return Times()


def lose(losses: Losses, clock: Times, times: int, seconds: float, between: Callable[[], None] = lambda: None) -> list[int | None]:
    """What is decided at each of so many losses, `seconds` apart."""
    decided = []
    for _ in range(times):
        decided.append(losses.answer_lost(POISON))
        between()
        clock.now += seconds
    return decided


def test_a_minute_in_which_nobody_is_answered_loses_no_question(clock: Times) -> None:
    assert lose(Losses(clock), clock, 60, 1.0) == [None] * 60


def test_a_question_that_alone_is_lost_is_given_up(clock: Times) -> None:
    losses = Losses(clock)
    apart = OWN_SECONDS / (OWN_LOSSES - 1)
    assert lose(losses, clock, OWN_LOSSES, apart, lambda: losses.answer_made(OTHER)) == [None] * (OWN_LOSSES - 1) + [OWN_LOSSES]


def test_not_within_moments(clock: Times) -> None:
    losses = Losses(clock)
    assert set(lose(losses, clock, 50, 1.0, lambda: losses.answer_made(OTHER))) == {None}


def test_nobody_waits_for_ever_without_a_word(clock: Times) -> None:
    assert lose(Losses(clock), clock, 2, LONGEST_SECONDS) == [None, 2]


def test_it_rests_ever_longer_and_an_answer_ends_it(clock: Times) -> None:
    losses = Losses(clock)
    rests = []
    for _ in range(12):
        losses.answer_lost(POISON)
        begun = clock.now
        while losses.rests(POISON):
            clock.now += 0.25
        rests.append(clock.now - begun)
    assert rests == sorted(rests)
    assert (rests[0], rests[-1]) == (0.5, 30.0)
    losses.answer_lost(POISON)
    losses.answer_made(POISON)
    assert not losses.rests(POISON)
