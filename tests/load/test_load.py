"""The load test itself: a small room is played in earnest, and what is lost or doubled would show."""

from __future__ import annotations

from pathlib import Path

from tests.load.chat import Asked
from tests.load.report import report
from tests.load.run import Load, play


async def test_a_small_room_is_answered_once_each(tmp_path: Path) -> None:
    load = Load(people=8, seconds=4.0, every=2.0, engine="stand-in", speed=400.0, rows=8)
    found = await play(load, tmp_path, tmp_path, seed=3)
    assert found.good
    assert found.questions > 5
    assert all(0 < first <= last for first, last in zip(found.first_words, found.final, strict=True))


def test_what_is_lost_or_doubled_shows() -> None:
    answered = Asked(at=0.0, acknowledged=0.1, first_words=1.0, final=2.0, answers=1)
    lost, doubled = Asked(at=0.0, acknowledged=0.1), Asked(at=0.0, acknowledged=0.1, first_words=1.0, final=2.0, answers=2)
    refused = Asked(at=0.0, acknowledged=0.1, refused=True)
    found = report([answered, lost, doubled, refused])
    assert (found.lost, found.doubled, found.refused, found.good) == (1, 1, 1, False)
    assert report([answered, refused]).good
    assert "1 lost, 1 answered twice" in found.lines()[0]
