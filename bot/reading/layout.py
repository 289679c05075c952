"""Puts recognised pieces of writing into reading order: code on a grid with its indentation, prose column by column. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Final

NARROW, WIDE = frozenset("iljtfrI.,:;'`|!()[]{}/\\\" "), frozenset("mwMWQGOD@%&")
LETTER_WIDTHS: Final = (0.35, 0.9, 0.65, 0.55)  # of narrow, wide, capital and other letters in most proportional fonts, in em
LEAST_GRID: Final = 3  # lines that tell whether letters are of one width
SAME_ROW: Final = 0.5  # of a line's height
NEW_PARAGRAPH: Final = 1.6  # of the usual distance between lines
MOST_BLANK: Final = 2  # empty lines in a row
GUTTER: Final = 1.2  # of a line's height: the least between two columns
COLUMN_LETTERS: Final = 10  # on average in a line, from which a column is one: prices at the right are none
NUMBERED: Final = 0.8  # of the lines, from which numbers before them are an editor's
NUMBER: Final = re.compile(r"^(\s*)(\d{1,5})(?=\s|$)[ |│:]?")


@dataclass(frozen=True)
class Piece:
    """One line of writing, or a part of one, as it was recognised; where its ink lies, in pixels of the upright picture."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @cached_property
    def cells(self) -> int:
        """Its width in letters of a font whose letters are all of one width: a Chinese one takes two."""
        return sum(2 if full_width(letter) else 1 for letter in self.text)

    @cached_property
    def ems(self) -> float:
        """Its width in a proportional font."""
        return sum(_em(letter) for letter in self.text)


Row = list[Piece]


def arrange(pieces: Sequence[Piece]) -> str:
    """All writing of a picture as one text, without trailing spaces and empty lines at its ends."""
    width = letter_width(pieces)
    if width is not None:
        return without_line_numbers(_grid(rows(pieces), width))
    return "\n\n".join(_prose(column) for column in columns(pieces))


def letter_width(pieces: Sequence[Piece]) -> float | None:
    """Pixels from a letter to the next, where all are of one width; None: they are not, or too little is there to tell."""
    long = [piece for piece in pieces if len(piece.text) > 1]
    if len(long) < LEAST_GRID:
        return None
    even = _spread([piece.right - piece.left for piece in long], [piece.cells - 0.2 for piece in long])
    uneven = _spread([piece.right - piece.left for piece in long], [piece.ems for piece in long])
    latin = sum(piece.cells == len(piece.text) for piece in long) >= len(long) / 2  # Chinese letters are of one width in every font
    return even[0] if even[1] < uneven[1] and even[1] < 0.12 and latin else None


def rows(pieces: Sequence[Piece]) -> list[Row]:
    """The pieces by line from top to bottom, each from left to right."""
    found: list[Row] = []
    for piece in sorted(pieces, key=lambda piece: piece.middle):
        last = found[-1][-1] if found else None
        if last is not None and abs(piece.middle - last.middle) < SAME_ROW * min(piece.height, last.height):
            found[-1].append(piece)
        else:
            found.append([piece])
    return [sorted(row, key=lambda piece: piece.left) for row in found]


def columns(pieces: Sequence[Piece]) -> list[Sequence[Piece]]:
    """The columns of a page in reading order; a heading above two columns is one of its own."""
    if len(pieces) < 2 * LEAST_GRID:
        return [pieces] if pieces else []
    if gutter := _gutter(pieces):
        left = [piece for piece in pieces if piece.right <= gutter]
        return [*columns(left), *columns([piece for piece in pieces if piece.right > gutter])]
    lines = rows(pieces)
    for at in range(1, len(lines) - LEAST_GRID + 1):  # a heading that lies across the gutter hides it
        below = [piece for row in lines[at:] for piece in row]
        if len(lines[at - 1]) == 1 and _gutter(below):
            return [[piece for row in lines[:at] for piece in row], *columns(below)]
    return [pieces]


def without_line_numbers(text: str) -> str:
    """Code as it was before an editor wrote a number before each line."""
    lines = text.split("\n")
    found = [NUMBER.match(line) for line in lines]
    counted = [(at, int(match[2])) for at, match in enumerate(found) if match]
    said = sum(bool(line.strip()) for line in lines)
    if len(counted) < LEAST_GRID or len(counted) < NUMBERED * said:
        return text
    steps = [later[1] - earlier[1] for earlier, later in pairwise(counted)]
    if sum(step == 1 for step in steps) < NUMBERED * len(steps):
        return text
    width = max(match.end() for match in found if match)
    return _trimmed([line[width:] if match else line for line, match in zip(lines, found, strict=True)], dedent=True)


def full_width(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def _em(letter: str) -> float:
    if full_width(letter):
        return 1.0
    narrow, wide, capital, other = LETTER_WIDTHS
    return narrow if letter in NARROW else wide if letter in WIDE else capital if letter.isupper() else other


def _spread(widths: Sequence[float], units: Sequence[float]) -> tuple[float, float]:
    """Pixels for each unit, and how far the lines are from it, as a part of it. Long lines count for more: their ends are surer."""
    unit = sum(widths) / sum(units)
    off = sum(abs(width - unit * units) for width, units in zip(widths, units, strict=True))
    return unit, off / sum(widths)


def _grid(lines: Sequence[Row], width: float) -> str:
    edge = min(piece.left for row in lines for piece in row)
    return _with_gaps(lines, ["".join(_placed(row, edge, width)) for row in lines])


def _placed(row: Row, edge: float, width: float) -> list[str]:
    """A row's pieces with the spaces before each."""
    parts, at = list[str](), 0
    for piece in row:
        column = round((piece.left - edge) / width)
        spaces = max(column - at, 1 if parts else 0)
        parts += [" " * spaces, piece.text]
        at += spaces + piece.cells
    return parts


def _with_gaps(lines: Sequence[Row], texts: Sequence[str]) -> str:
    """The rows, with as many empty lines between them as the picture has room for."""
    middles = [median(piece.middle for piece in row) for row in lines]
    steps = [later - earlier for earlier, later in pairwise(middles)]
    pitch = _pitch(steps)
    said = [texts[0]] if texts else []
    for step, text in zip(steps, texts[1:], strict=True):
        said += [""] * min(max(round(step / pitch) - 1, 0), MOST_BLANK) + [text]
    return _trimmed(said)


def _pitch(steps: Sequence[float]) -> float:
    """The distance from a line to the next: the smaller half of all, since the others leave lines out."""
    ordered = sorted(steps)
    return max(median(ordered[: max(len(ordered) // 2, 1)]), 1.0) if ordered else 1.0


def _gutter(pieces: Sequence[Piece]) -> float | None:
    """Where an empty strip from top to bottom parts two columns of running text; None: there is none."""
    least = GUTTER * median(piece.height for piece in pieces)
    reached, ordered = float("-inf"), sorted(pieces, key=lambda piece: piece.left)
    for at, piece in enumerate(ordered):
        if at and piece.left - reached > least and _runs(ordered[:at]) and _runs(ordered[at:]):
            return (reached + piece.left) / 2
        reached = max(reached, piece.right)
    return None


def _runs(pieces: Sequence[Piece]) -> bool:
    lines = rows(pieces)
    return len(lines) >= LEAST_GRID and sum(piece.cells for piece in pieces) / len(lines) >= COLUMN_LETTERS


def _prose(pieces: Sequence[Piece]) -> str:
    lines = rows(pieces)
    texts = [_joined(row) for row in lines]
    tops = [median(piece.middle for piece in row) for row in lines]
    steps = [later - earlier for earlier, later in pairwise(tops)]
    pitch = _pitch(steps)
    said = texts[:1]
    for step, text in zip(steps, texts[1:], strict=True):
        said += ["", text] if step > NEW_PARAGRAPH * pitch else [text]
    return _trimmed(said)


def _joined(row: Row) -> str:
    text = row[0].text
    for before, piece in pairwise(row):
        gap = (piece.left - before.right) / piece.height
        both_chinese = full_width(before.text[-1]) and full_width(piece.text[0])
        text += ("  " if gap > 1.5 else "" if both_chinese and gap < 0.5 else " ") + piece.text
    return text


def _trimmed(lines: Sequence[str], *, dedent: bool = False) -> str:
    if dedent:
        edge = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        lines = [line[edge:] for line in lines]
    return "\n".join(line.rstrip() for line in lines).strip("\n")
