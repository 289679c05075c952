"""The measure of films draws what its truth says, and judges answers as a reader would."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from adapters.evaluation.films import PARTS, Clip, circle, clips, right, shuffled
from bot.message import Picture

TOLD = "First, at 0.5 s: 1 shape: a {} circle in the middle. Background: white.\nThen, at 1.5 s: 1 shape: a {} circle. Background: white."


@pytest.mark.parametrize(
    ("truth", "answer", "is_right"),
    [
        (("red", "green"), TOLD.format("red", "green"), True),
        (("red", "green"), TOLD.format("green", "red"), False),
        (("red", "green"), "First red, then green.", True),
        (2, "It jumps twice.", True),
        (2, "It jumps 3 times.", False),
        (2, "on the left\non the right\non the right\non the left", True),
        (1, "on the left\non the right\non the right\non the left", False),
        (1.5, "First, at 0.5 s: a red circle\nThen, at 1.5 s: a blue square\nFinally, at 2.5 s: a blue square", True),
        (2.5, "The square appears at 1.5 s.", False),
        (2.5, "I am not sure.", False),
    ],
)
def test_answers_are_judged(truth: tuple[str, ...] | int | float, answer: str, is_right: bool) -> None:
    assert right(Clip("", (circle("red"),), "", truth), answer) is is_right


def test_clips_are_drawn_as_their_truth_says() -> None:
    colours, jumps, appearance = clips(1, Random(3))
    assert len(colours.parts) == len(jumps.parts) == len(appearance.parts) == PARTS
    assert isinstance(colours.truth, tuple)
    blue = [[x for x in (80, 240) if part.getpixel((x, 160)) == (0, 0, 255)] for part in jumps.parts]
    assert jumps.truth == sum(a != b for a, b in pairwise(blue))
    shown = [part.getpixel((40, 40)) == (0, 0, 255) for part in appearance.parts]
    assert appearance.truth == shown.index(True) + 0.5


def test_shuffled_frames_keep_the_times_in_order() -> None:
    frames = [Picture(str(number), b"", "image/png", 1, 1, number + 0.5) for number in range(4)]
    mixed = shuffled(frames, Random(1))
    assert [each.seconds for each in mixed] == [0.5, 1.5, 2.5, 3.5]
    assert sorted(each.sha256 for each in mixed) == ["0", "1", "2", "3"] != [each.sha256 for each in mixed]
