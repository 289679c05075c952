"""Draws several pictures side by side in one, each with a label: pictures to choose from, a film's frames, what steps looked at."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE: Final = 320  # pixels, each way
GAP: Final = 8
LABEL: Final = 44  # pixels of a number's height
WIDE: Final = 3  # tiles in a row, of three and more than four
QUALITY: Final = 85  # of JPEG
PAPER, EMPTY, INK = (255, 255, 255), (222, 222, 222), (20, 20, 20)


def draw(pictures: Sequence[bytes | None], labels: Sequence[str] = ()) -> Image.Image:
    """The sheet. `pictures`: encoded, as intake leaves them; None: an empty tile. `labels`: of the tiles; else their numbers."""
    columns = 2 if len(pictures) in {2, 4} else min(len(pictures), WIDE if len(pictures) <= WIDE**2 else 2 * WIDE)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (TILE + GAP) + GAP, rows * (TILE + GAP) + GAP), PAPER)
    for index, data in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(_tile(data, labels[index] if labels else str(index + 1)), (GAP + column * (TILE + GAP), GAP + row * (TILE + GAP)))
    return sheet


def _tile(data: bytes | None, label: str) -> Image.Image:
    tile = Image.new("RGB", (TILE, TILE), EMPTY)
    if data is not None:
        with Image.open(BytesIO(data)) as picture:
            picture.draft("RGB", (TILE, TILE))
            small = ImageOps.contain(picture.convert("RGB"), (TILE, TILE))
        tile.paste(small, ((TILE - small.width) // 2, (TILE - small.height) // 2))
    ink = ImageDraw.Draw(tile)
    font = ImageFont.load_default(LABEL * 0.75)
    width = max(LABEL, round(font.getlength(label)) + LABEL // 2)
    ink.rectangle((0, 0, width, LABEL), fill=PAPER)
    ink.text((width // 2, LABEL // 2), label, fill=INK, font=font, anchor="mm")
    return tile


def save(path: Path, pictures: Sequence[bytes | None], labels: Sequence[str] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(pictures, labels).save(path, "JPEG", quality=QUALITY)
