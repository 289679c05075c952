"""Lays out Markdown tables as monospaced text with aligned columns, for platforms that show no tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from unicodedata import east_asian_width

from markdown_it import MarkdownIt
from markdown_it.token import Token

GAP = "  "
FENCE = "```"


def monospaced(text: str) -> str:
    """`text` with every Markdown table as a code block; a table that is still being written, as far as it goes."""
    if "|" not in text:
        return text
    lines = text.split("\n")
    for table in reversed(list(_tables(_parser().parse(text)))):
        start, end = table[0].map or [0, 0]
        while end > start and not lines[end - 1].strip():  # the blank line after it stays
            end -= 1
        lines[start:end] = [FENCE, *_even(_rows(table), _alignments(table)), FENCE]
    return "\n".join(lines)


def width(text: str) -> int:
    """Columns that a text takes in a monospaced font: Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _tables(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The tokens of each top-level table: inside a list or quote its lines can't be replaced by a code block."""
    start = 0
    for number, token in enumerate(tokens):
        if token.type == "table_open":
            start = number
        elif token.type == "table_close" and token.level == 0:
            yield tokens[start : number + 1]


def _rows(table: Sequence[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in table:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            words = "".join(child.content for child in token.children or [])
            rows[-1].append(words.replace(FENCE, "'''"))
    return rows


def _alignments(table: Sequence[Token]) -> list[str]:
    """Each column's alignment as its head gives it; empty for none."""
    return [str(token.attrGet("style") or "").removeprefix("text-align:") for token in table if token.type == "th_open"]


def _even(rows: Sequence[Sequence[str]], alignments: Sequence[str]) -> list[str]:
    widths = [max(width(row[column]) for row in rows) for column in range(len(alignments))]
    lines = [GAP.join(map(_padded, row, widths, alignments)).rstrip() for row in rows]
    return [lines[0], GAP.join("─" * each for each in widths), *lines[1:]]


def _padded(text: str, room: int, alignment: str) -> str:
    free = room - width(text)
    before = free if alignment == "right" else free // 2 if alignment == "center" else 0
    return " " * before + text + " " * (free - before)
