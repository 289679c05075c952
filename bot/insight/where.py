"""Says in words where on a picture a map is brightest: "mostly at the upper left". What eyes see at a glance, everyone can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.texts import Texts

BRIGHT: Final = 0.5  # of the brightest patch: what is as bright counts as looked at
MOSTLY: Final = 0.6  # of what is bright, that lies in one place
# By row, then column, of thirds of the picture.
THIRDS: Final = (
    ("how.upper_left", "how.top", "how.upper_right"),
    ("how.left", "how.middle", "how.right"),
    ("how.lower_left", "how.bottom", "how.lower_right"),
)
HALVES: Final = ("how.left_half", "how.right_half", "how.upper_half", "how.lower_half")


def where(texts: Texts, language: str, shares: Sequence[float], rows: int, columns: int) -> str:
    """`shares` of rows · columns patches, row by row → a phrase."""
    return texts.render(language, place_of(shares, rows, columns))


def place_of(shares: Sequence[float], rows: int, columns: int) -> str:
    """The key of the phrase."""
    brightest = max(shares, default=0.0)
    if not rows or brightest <= 0:
        return "how.nowhere"
    bright = [(share, *divmod(at, columns)) for at, share in enumerate(shares) if share >= BRIGHT * brightest]
    total = sum(share for share, _, _ in bright)
    thirds: dict[str, float] = {}
    halves = dict.fromkeys(HALVES, 0.0)
    for share, row, column in bright:
        down, across = (row + 0.5) / rows, (column + 0.5) / columns
        third = THIRDS[int(3 * down)][int(3 * across)]
        thirds[third] = thirds.get(third, 0.0) + share
        halves["how.left_half" if across < 0.5 else "how.right_half"] += share
        halves["how.upper_half" if down < 0.5 else "how.lower_half"] += share
    for found in (thirds, halves):
        best = max(found, key=lambda place: found[place])
        if found[best] >= MOSTLY * total:
            return best
    return "how.spread"
