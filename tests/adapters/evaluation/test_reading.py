"""The measure of reading counts right, its pages are what they say, and reading is as good as promised (`make sweep`)."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

import pytest

from adapters.evaluation.reading import Score, edits, measure_all
from adapters.evaluation.reading_pages import DARK, LIGHT, coloured, matplotlib_font, pages
from adapters.evaluation.reading_texts import CODE


def test_edits_and_rates_are_counted_by_hand() -> None:
    assert (edits("kitten", "sitting"), edits("", "abc"), edits("same", "same")) == (3, 3, 0)
    score = Score()
    score.add("a bc\n  d", "abc\n d", 1.0)
    assert (score.without_spaces, score.with_spaces) == (0, 2 / 8)
    score.add("xy", "", 1.0)
    assert (score.without_spaces, score.with_spaces) == (2 / 6, 4 / 10)


def test_every_letter_of_a_line_is_drawn_once_in_its_colour() -> None:
    line = 'return "a string" in items'
    pieces = list(coloured(line, DARK))
    assert "".join(piece for _, piece, _ in pieces) == line
    assert [colour for _, piece, colour in pieces if piece == '"a string"'] == [DARK.string]
    assert all(line[start : start + len(piece)] == piece for start, piece, _ in pieces)


def test_all_kinds_of_pages_are_drawn() -> None:
    monospaced, plain = matplotlib_font("DejaVuSansMono.ttf"), matplotlib_font("DejaVuSans.ttf")
    assert monospaced
    assert plain
    groups = [page.group for page in pages(monospaced, plain, None)]
    assert groups.count("code, dark, 12 px") == groups.count("code, light, 20 px") == len(CODE) == 6
    assert {"page, English", "receipt", "signs", "two columns", "low contrast (165 on 235)"} <= set(groups)
    assert LIGHT.ground > LIGHT.plain


@pytest.mark.sweep
@pytest.mark.skipif(find_spec("rapidocr") is None, reason="the extra `reading` is not installed")
def test_reading_is_as_good_as_promised() -> None:
    scores = asyncio.run(measure_all(None))
    light = [score for group, score in scores.items() if group.startswith("code, light")]
    assert len(light) == 4
    assert max(score.without_spaces for score in light) <= 0.02
    assert max(score.with_spaces for score in light) <= 0.04
    assert max(score.without_spaces for group, score in scores.items() if group.startswith("code, dark")) <= 0.05
