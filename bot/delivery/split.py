"""Cuts a long text into messages, between paragraphs, lines, sentences or words; a code block that is cut stays a code block.

Appending to the text never changes a part that is full already, so that streaming edits the last message only.
"""

from __future__ import annotations

from collections.abc import Callable

import regex

FENCE = regex.compile(r"^ {0,3}(?P<marker>`{3,16}|~{3,16})(?P<info>[^`\n]*)$", regex.MULTILINE)
# From the best place to cut to the worst; each match ends where the next part begins.
BORDERS = tuple(regex.compile(pattern) for pattern in (r"\n{2,}", r"\n", r"[.!?…]['\")\]]*\s+|[。！？]['”」』）]*", r"\s+"))
SHORTER = 0.97  # each try of a part that is too long takes so much of the last one
LEAST = 0.5  # of the room: a border that would leave a part emptier is not used
GRAPHEME = regex.compile(r"\X")


def split(text: str, limit: int, length: Callable[[str], int] = len) -> tuple[str, ...]:
    """Parts of at most `limit` (as `length` counts); at least one, and of several none blank. `limit` must leave room for a fence:
    64 or more.

    A code block that is cut is closed and opened again with its language. White space at a border is dropped.
    """
    parts, opening, rest = [], "", text
    while length(opening + rest) > limit:
        end = _cut(opening, rest, limit, length)
        piece = opening + rest[:end]
        still_open = _open_fence(piece)
        if piece.strip():
            parts.append(_part(piece))
        opening, rest = f"{still_open}\n" if still_open else "", rest[end:].lstrip("\n")
    last = opening + rest
    return (*parts, last) if last.strip() or not parts else tuple(parts)


def _cut(opening: str, rest: str, limit: int, length: Callable[[str], int]) -> int:
    """How many characters of `rest` go into the next part; at least one."""
    low, high = 1, len(rest)
    while low < high:  # the longest beginning that fits, its fence closed
        middle = (low + high + 1) // 2
        piece = opening + rest[:middle]
        low, high = (middle, high) if length(_close(piece, _open_fence(piece))) <= limit else (low, middle - 1)
    end = _border(rest, low) or _whole(rest, low)
    # Where `length` reads markup, less text can be longer: a span that is not closed keeps its marks.
    while end > 1 and length(_part(opening + rest[:end])) > limit:
        low = int(end * SHORTER)
        end = _border(rest, low) or _whole(rest, low)
    return end


def _part(piece: str) -> str:
    """A piece as a message of its own."""
    return _close(piece.rstrip(), _open_fence(piece))


def _border(rest: str, room: int) -> int:
    """Where the best border in `rest[:room]` ends; 0 without one. A line that opens or closes code is not cut."""
    for pattern in BORDERS:
        ends = [found.end() for found in pattern.finditer(rest, 0, room) if found.end() >= room * LEAST]
        for end in reversed(ends):
            if not _within_fence_line(rest, end):
                return end
    return 0


def _within_fence_line(rest: str, cut: int) -> bool:
    start = rest.rfind("\n", 0, cut) + 1
    return start < cut and FENCE.match(rest, start) is not None


def _whole(rest: str, room: int) -> int:
    """Where the last whole grapheme in `rest[:room]` ends; one that is larger than a message is cut."""
    # A match that reaches `room` may go on behind it: some more characters show that.
    ends = [found.end() for found in GRAPHEME.finditer(rest, 0, min(room + 32, len(rest))) if found.end() <= room]
    return ends[-1] if ends else room


def _open_fence(text: str) -> str:
    """The line that opened the code block in which `text` ends; empty outside of code."""
    opened, marker = "", ""
    for found in FENCE.finditer(text):
        if not marker:
            marker, opened = found["marker"], f"{found['marker']}{found['info'].strip()[:20]}"
        elif found["marker"].startswith(marker) and not found["info"].strip():
            opened = marker = ""
    return opened


def _close(piece: str, opened: str) -> str:
    found = FENCE.match(opened)
    return f"{piece}\n{found['marker']}" if found else piece
