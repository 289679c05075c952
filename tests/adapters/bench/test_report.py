"""What a run came to: what is missing shows, and percentiles are the usual ones."""

from __future__ import annotations

import pytest

from adapters.bench.measure import Load, Run
from adapters.bench.protocol import Heard, Memory, Observed, Ready
from adapters.bench.report import percentiles, report


def test_what_is_missing_shows() -> None:
    talk = Heard(at=10.0, asks=False, taken=10.001)
    answered = Heard(at=10.0, asks=True, taken=10.002, received=10.003, answered=11.0, shown=11.002, ended=12.0)
    lost, failed = Heard(at=10.0, asks=True, taken=10.002), Heard(at=10.0, asks=True, taken=10.002, ended=11.0)
    early = Heard(at=9.0, asks=True, taken=9.9)
    memory = Memory(now=1.0, most=2.0)
    run = Run(0.5, Ready(memory=memory), Observed(memory=memory, heard=[early, talk, answered, lost, failed]), counted_from=9.5)
    found = report(Load(rate=1, asks=0.5, seconds=1, words=1), run)
    assert (found.messages, found.questions, found.lost) == (4, 3, 2)
    assert found.milliseconds["question"].p50 == pytest.approx(5.0)
    assert found.milliseconds["overheard"].most == pytest.approx(1.0)
    assert found.milliseconds["message"].p50 == pytest.approx(3.0)


def test_percentiles_are_the_usual_ones() -> None:
    assert percentiles(range(101)) == (50.0, 95.0, 99.0)
    assert percentiles([3.0]) == (3.0, 3.0, 3.0)
