"""Pauses between tries grow with the failures in a row, up to a longest one."""

from __future__ import annotations

import pytest

from bot.backoff import growing_pause, listed_pause


def test_a_list_is_gone_through_once_and_its_last_pause_stays() -> None:
    assert [listed_pause(failures, (1.0, 5.0)) for failures in range(4)] == [1.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(("failures", "pause"), [(0, 0.5), (1, 1.0), (6, 32.0), (7, 60.0), (100_000, 60.0)])
def test_a_pause_doubles_up_to_the_longest(failures: int, pause: float) -> None:
    assert growing_pause(failures, 0.5, 2, 60.0) == pause
