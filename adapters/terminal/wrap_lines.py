"""Breaks lines between words on a terminal, where the terminal itself would break them anywhere; also in text that is still coming."""

from __future__ import annotations

import re
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

PIECE = re.compile(r"\n|[^\S\n]+|[^\s\u1100-\uffdc\U0001f300-\U0003ffff]+|\S")  # between scripts without spaces a line may break anywhere


class WrappingConsole(Console):
    """A word that is longer than a line, a path or an address, stays whole, so that it can be copied; so does what goes into a pipe."""

    def print(self, *objects: Any, **options: Any) -> None:
        said = [Text(each) if isinstance(each, str) else each for each in objects]
        if all(isinstance(each, Text) for each in said):
            options = {"soft_wrap": True, **options}
        if self.is_terminal and "end" not in options:
            said = [wrapped(each, self.width) if isinstance(each, Text) else each for each in said]
        super().print(*said, **options)


def wrapped(said: Text, width: int) -> Text:
    """In lines of `width` columns."""
    wrapping = Wrapping(width)
    pieces = [(piece.start(), wrapping.place(piece[0])) for piece in PIECE.finditer(said.plain)]
    lines = said.divide([start for start, placed in pieces if placed.startswith("\n") and placed != "\n"])
    for line in lines[:-1]:
        line.rstrip()
    return Text("\n").join(lines)


class Wrapping:
    """Text that comes in pieces, for lines of `width` columns. Holds a word back until it is whole."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._column = 0
        self._gap = ""
        self._word = ""

    def feed(self, text: str) -> str:
        """What can be shown now."""
        pieces = PIECE.findall(self._word + text)
        self._word = pieces.pop() if pieces and not pieces[-1].isspace() else ""
        return "".join(map(self.place, pieces))

    def end(self) -> str:
        word, self._word = self._word, ""
        return self.place(word) if word else ""

    def place(self, piece: str) -> str:
        """The piece as it stands after those before it: what parts it from them comes first."""
        if piece == "\n":
            self._column, self._gap = 0, ""
            return piece
        if piece.isspace():
            self._gap += piece
            return ""
        gap, self._gap = self._gap, ""
        if self._column and self._column + cell_len(gap + piece) > self._width:
            gap, self._column = "\n", 0
        self._column += cell_len(gap.removeprefix("\n") + piece)
        return gap + piece
