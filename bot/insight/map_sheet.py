"""Draws maps on their picture, for places that show pictures and no pages: one tile a word, or a query, dark where it did not look."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from io import BytesIO
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFont

from engine.explanation import ExplainedAnswer, SeenPicture

DARKEST: Final = 0.22  # of a picture's light, that is left where nothing was looked at
GAP = 8  # pixels
PAPER, INK = "#f7f5f0", "#25221d"

Tile = tuple[str, Sequence[float]]  # what stands below, and its map


def lit(seen: SeenPicture, shares: Sequence[float], side: int) -> Image.Image:
    """The picture as the model saw it, `side` pixels wide, as bright at each place as the map there."""
    picture = Image.open(BytesIO(b64decode(seen.png))).convert("RGB")
    picture = picture.resize((side, max(1, round(side * seen.height / seen.width))), Image.Resampling.BICUBIC)
    brightest = max(shares, default=0.0) or 1.0
    veil = Image.new("L", (seen.columns, seen.rows))
    veil.putdata([round(255 * (DARKEST + (1 - DARKEST) * share / brightest)) for share in shares])
    light = veil.resize(picture.size, Image.Resampling.BICUBIC)
    return ImageChops.multiply(picture, Image.merge("RGB", (light, light, light)))


def sheet(seen: SeenPicture, tiles: Sequence[Tile], *, columns: int, side: int, letters: int = 16) -> Image.Image:
    """All tiles in rows, each with its words below it, `letters` pixels high."""
    caption = round(1.6 * letters)
    height = max(1, round(side * seen.height / seen.width)) + caption
    rows = -(-len(tiles) // columns)
    canvas = Image.new("RGB", (GAP + columns * (side + GAP), GAP + rows * (height + GAP)), PAPER)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(letters)
    for at, (words, shares) in enumerate(tiles):
        left, top = GAP + at % columns * (side + GAP), GAP + at // columns * (height + GAP)
        canvas.paste(lit(seen, shares, side), (left, top))
        pen.text((left + side / 2, top + height - caption / 2), words, fill=INK, font=font, anchor="mm")
    return canvas


def telling_words(explained: ExplainedAnswer, picture: int, most: int) -> list[Tile]:
    """The words whose look at the picture stands out most, in the answer's order."""
    words = [token for token in explained.answer if token.looked and any(letter.isalnum() for letter in token.text)]
    chosen = sorted(words, key=lambda token: -sum(token.looked[picture]))[:most]
    return [(token.text.strip(), token.looked[picture]) for token in words if token in chosen]
