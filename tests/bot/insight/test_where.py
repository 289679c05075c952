"""A map in words: what one sees at a glance is what one reads."""

from __future__ import annotations

import pytest

from bot.insight.where import place_of, where
from bot.texts import LANGUAGES, load_texts


def spots(rows: int, columns: int, *bright: tuple[int, int]) -> list[float]:
    return [1.0 if divmod(at, columns) in bright else 0.1 for at in range(rows * columns)]


@pytest.mark.parametrize(
    ("bright", "place"),
    [
        ([(0, 0), (1, 1)], "how.upper_left"),
        ([(0, 8)], "how.upper_right"),
        ([(4, 4), (4, 5)], "how.middle"),
        ([(8, 4)], "how.bottom"),
        ([(1, 0), (8, 1), (4, 0)], "how.left_half"),
        ([(0, 0), (1, 8)], "how.upper_half"),
        ([(0, 0), (0, 8), (8, 0), (8, 8)], "how.spread"),
    ],
)
def test_the_brightest_place_is_named(bright: list[tuple[int, int]], place: str) -> None:
    assert place_of(spots(9, 9, *bright), 9, 9) == place


def test_what_is_even_or_dark_is_said_to_be_so() -> None:
    assert place_of([0.3] * 48, 6, 8) == "how.spread"
    assert place_of([0.0] * 48, 6, 8) == "how.nowhere"
    assert place_of([0.5, 0.5], 0, 0) == "how.nowhere"


def test_every_language_says_it() -> None:
    said = {where(load_texts(), language, spots(9, 9, (0, 0)), 9, 9) for language in LANGUAGES}
    assert said == {"mostly at the upper left", "主要是左上角"}
