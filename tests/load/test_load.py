"""The load test itself: a few small rooms are played in earnest, and what is lost or doubled would show."""

from __future__ import annotations

import re
from pathlib import Path

from tests.load.chat import Asked
from tests.load.loop_watch import watching_loop
from tests.load.report import report
from tests.load.run import Load, play


async def test_a_few_small_rooms_are_answered_once_each(tmp_path: Path) -> None:
    load = Load(people=8, seconds=4.0, every=2.0, engine="stand-in", speed=400.0, rows=8, in_a_room=2)
    found = await play(load, tmp_path, tmp_path, seed=3)
    assert found.good
    assert found.questions > 5
    assert all(0 < first <= last for first, last in zip(found.first_words, found.final, strict=True))


async def test_ten_times_too_many_are_acknowledged_refused_with_a_time_and_served_again_later(tmp_path: Path) -> None:
    """Room for six questions, two of which are answered at a time, and sixty people who ask at once."""
    limits = {"questions_overall": 6, "burst": 1_000, "cooldown_seconds": 0}
    load = Load(people=60, seconds=2.0, every=1.0, engine="stand-in", speed=200.0, rows=2, limits=limits, in_a_room=6)
    with watching_loop() as longest:
        found = await play(load, tmp_path, tmp_path, seed=5)
    assert found.good
    assert found.refused > found.questions / 2
    assert all(re.search(r"again in about \d+ seconds", words) for words in found.refusals)
    assert len(found.acknowledgement) > 0
    assert 0 < found.held.waiting <= limits["questions_overall"]
    assert found.held.left == 0
    assert longest.seconds < 0.05, longest.callback


def test_what_is_lost_or_doubled_shows() -> None:
    answered = Asked(at=0.0, acknowledged=0.1, first_words=1.0, final=2.0, answers=1)
    lost, doubled = Asked(at=0.0, acknowledged=0.1), Asked(at=0.0, acknowledged=0.1, first_words=1.0, final=2.0, answers=2)
    refused = Asked(at=0.0, acknowledged=0.1, refused=True)
    found = report([answered, lost, doubled, refused])
    assert (found.lost, found.doubled, found.refused, found.good) == (1, 1, 1, False)
    assert report([answered, refused]).good
    assert "1 lost, 1 answered twice" in found.lines()[0]
