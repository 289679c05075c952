"""The picture that a wall shows of an answer: where its most telling words looked, readable from the back of a room.

An SVG, so that the browser writes the words: its fonts have all scripts, and letters stay sharp on a projector.
"""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO

from bot.insight.how import placed
from bot.insight.how_sheet import IDEOGRAPHS, Word, main_words
from bot.insight.map_sheet import GAP, INK, PAPER, lit
from bot.insight.where import where
from bot.sanitize import sanitize_text
from bot.texts import Texts
from engine.explanation import ExplainedAnswer, SeenPicture

WORDS, COLUMNS, SIDE, LETTERS = 4, 2, 480, 56  # how many; pixels
CAPTION = 90  # pixels


def wall_sheet(explained: ExplainedAnswer, texts: Texts, language: str) -> bytes | None:
    """With the same in words as its `desc`. None: no places are known, or no word looked anywhere."""
    number = next((number for number, seen in enumerate(explained.pictures) if placed(seen)), None)
    words = [] if number is None else main_words(explained, number, WORDS)
    if number is None or not words:
        return None
    seen, columns = explained.pictures[number], min(COLUMNS, len(words))
    height = max(1, round(SIDE * seen.height / seen.width))
    width, rows = GAP + columns * (SIDE + GAP), -(-len(words) // columns)
    whole = f"{width} {GAP + rows * (height + CAPTION)}"
    tiles = "".join(
        tile(seen, number, word, GAP + at % columns * (SIDE + GAP), GAP + at // columns * (height + CAPTION), height)
        for at, word in enumerate(words)
    )
    size = 'width="{}" height="{}"'.format(*whole.split())
    told = " ".join(
        texts.render(language, "how.wall", word=word.text, place=where(texts, language, word.looked[number], seen.rows, seen.columns))
        for word in words
    )
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole}" {size}><desc>{as_xml(told)}</desc>'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>'
        f'<g fill="{INK}" font-family="sans-serif" text-anchor="middle">{tiles}</g></svg>'
    )
    return drawn.encode()


def tile(seen: SeenPicture, number: int, word: Word, left: int, top: int, height: int) -> str:
    file = BytesIO()
    lit(seen, word.looked[number], SIDE).save(file, "JPEG", quality=88)
    picture = b64encode(file.getvalue()).decode("ascii")
    ems = sum(1.0 if letter >= IDEOGRAPHS else 0.6 for letter in word.text)
    letters = min(LETTERS, round(SIDE / max(1.0, ems)))
    return (
        f'<image x="{left}" y="{top}" width="{SIDE}" height="{height}" href="data:image/jpeg;base64,{picture}"/>'
        f'<text x="{left + SIDE / 2:g}" y="{top + height + 0.72 * CAPTION:g}" font-size="{letters}">{as_xml(word.text)}</text>'
    )


def as_xml(text: str) -> str:
    """Without characters that XML knows no spelling for."""
    clean = "".join(letter for letter in sanitize_text(text) if letter.isprintable())
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
