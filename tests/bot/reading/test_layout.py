"""Pieces of writing become text in reading order: code by its columns, pages by theirs."""

from __future__ import annotations

import pytest

from bot.reading.layout import Piece, arrange, without_line_numbers

CELL, STEP = 8.4, 19.0  # pixels of a letter and of a line


def code(*lines: str, first: int = 0) -> list[Piece]:
    """As a reader finds lines of code: without their indentation, at places that are a little off."""
    found = []
    for at, line in enumerate(lines):
        if words := line.strip():
            left = 16 + CELL * (len(line) - len(line.lstrip())) + (at % 3) * 0.8
            found.append(Piece(words, left, STEP * (at + first) + at % 2, left + CELL * (len(words) - 0.2), STEP * (at + first) + 16))
    return found


PROGRAM = ("def first(items):", "    for item in items:", "        if item:", "            return item", "", "    return None")


def test_code_keeps_its_indentation_and_its_empty_lines() -> None:
    assert arrange(code(*PROGRAM)) == "\n".join(PROGRAM)


def test_pieces_of_one_line_stand_at_their_columns() -> None:
    comment = Piece("# why", 16 + CELL * 30, 0, 16 + CELL * 34.8, 16)
    assert arrange([*code(*PROGRAM), comment]).split("\n")[0] == f"{PROGRAM[0]:<30}# why"


def test_an_editors_line_numbers_are_left_out() -> None:
    numbered = "\n".join(f"{at:>3}  {line}".rstrip() for at, line in enumerate(PROGRAM, start=98))
    assert without_line_numbers(numbered) == "\n".join(PROGRAM)
    assert without_line_numbers("12 eggs\n3 pears\n7 figs") == "12 eggs\n3 pears\n7 figs"


def prose(text: str, left: float = 0.0, top: float = 0.0) -> list[Piece]:
    found = []
    for at, line in enumerate(text.split("\n")):
        piece = Piece(line, left, top + 24 * at, left, top + 24 * at + 18)
        if line:
            found.append(Piece(line, left, piece.top, left + 18 * piece.ems, piece.bottom))
    return found


HEADING = "The Harbour News, for all who live along the river and the sea"
GULLS = "Herring gulls have come\nback to the harbour after\na winter of storms."
BRIDGE = "The town will build a new\nbridge across the river,\nwith a lane for cyclists."


def test_columns_are_read_one_after_the_other_below_their_heading() -> None:
    page = [
        *prose(HEADING),
        *prose(GULLS, top=60),
        *prose(BRIDGE, left=320, top=60),
    ]
    assert arrange(page).split("\n\n") == [HEADING, GULLS, BRIDGE]


def test_prices_at_the_right_stay_in_their_lines() -> None:
    bought = ("Rye bread", "Butter croissant", "Apple cake", "Coffee")
    receipt = [piece for at, what in enumerate(bought) for piece in (*prose(what, top=30.0 * at), *prose("3.40", 380, 30.0 * at))]
    assert arrange(receipt) == "\n".join(f"{what}  3.40" for what in bought)


def test_paragraphs_are_parted_and_chinese_is_joined_without_spaces() -> None:
    assert arrange(prose("One line of a paragraph.\nAnother one, of more words.\n\nThe next paragraph.")).count("\n\n") == 1
    halves = [Piece("小心", 0, 0, 40, 20), Piece("地滑", 44, 1, 84, 21)]
    assert arrange(halves) == "小心地滑"


@pytest.mark.parametrize("pieces", [[], [Piece("A", 3, 3, 9, 20)]])
def test_little_is_no_fault(pieces: list[Piece]) -> None:
    assert arrange(pieces) == "".join(piece.text for piece in pieces)
