"""Lines on a terminal end between words, whatever pieces a text comes in."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from adapters.terminal.wrap_lines import Wrapping, WrappingConsole

WORDS = st.lists(st.text("abcé猫です \n-", max_size=12), max_size=40)


def wrapped(pieces: list[str], width: int) -> str:
    wrapping = Wrapping(width)
    return "".join(map(wrapping.feed, pieces)) + wrapping.end()


@given(WORDS, st.integers(4, 30))
def test_words_stay_whole_and_in_order_and_no_line_is_too_long(pieces: list[str], width: int) -> None:
    text, shown = "".join(pieces), wrapped(pieces, width)
    assert "".join(shown.split()) == "".join(text.split())
    assert wrapped([text], width) == shown
    for line in shown.split("\n"):
        assert cell_len(line.rstrip()) <= width or " " not in line.strip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one two three", "one two\nthree"),
        ("one  two\n  three", "one  two\n  three"),
        ("a-very-long-word then", "a-very-long-word\nthen"),
        ("猫がいます。", "猫がいま\nす。"),
        ("exactly8 x", "exactly8\nx"),
    ],
)
def test_where_lines_end(text: str, shown: str) -> None:
    assert wrapped(list(text), 8) == shown


def test_a_console_keeps_words_on_terminals_and_everything_in_pipes() -> None:
    said = "The data folder is /a/path/that/is/much/longer/than/any/line and can't be written by you."
    paper, pipe = io.StringIO(), io.StringIO()
    WrappingConsole(file=paper, force_terminal=True, width=30, highlight=False, color_system=None).print(Text(said))
    WrappingConsole(file=pipe, width=30, highlight=False).print(Text(said))
    lines = paper.getvalue().split("\n")
    assert lines[:3] == ["The data folder is", "/a/path/that/is/much/longer/than/any/line", "and can't be written by you."]
    assert pipe.getvalue() == said + "\n"
