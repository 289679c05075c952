"""The picture that a wall shows of a finished answer: where its most telling words looked, readable from the back of a room."""

from __future__ import annotations

from io import BytesIO

from bot.insight.map_sheet import sheet, telling_words
from engine.explanation import ExplainedAnswer

WORDS, SIDE, LETTERS = 4, 480, 56  # how many; pixels


def wall_sheet(explained: ExplainedAnswer) -> bytes | None:
    """A PNG. None: no places are known, or no word looked anywhere."""
    seen = next((seen for seen in explained.pictures if seen.rows), None)
    tiles = [] if seen is None else telling_words(explained, explained.pictures.index(seen), WORDS)
    if seen is None or not tiles:
        return None
    file = BytesIO()
    sheet(seen, tiles, columns=min(2, len(tiles)), side=SIDE, letters=LETTERS).save(file, "PNG")
    return file.getvalue()
