"""Every picture of a bench is new."""

from __future__ import annotations

from engine.bench.workload import draw


def test_every_picture_is_another_one() -> None:
    pictures = [draw(number) for number in range(60)]
    assert len({picture.sha256 for picture in pictures}) == len({picture.image.tobytes() for picture in pictures}) == 60
