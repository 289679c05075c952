"""What the steps of an answer looked at, as one picture: a tile for each part, with its name."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from typing import Final

from bot.media.tiled_sheet import QUALITY, draw
from bot.message import Picture
from bot.regions import Region
from bot.steps.interpreter import name_of

MOST: Final = 12  # parts on one sheet, the first ones


def drawn(parts: Mapping[Region, Picture]) -> Picture:
    """In the order in which they were looked at."""
    shown, data = list(parts.items())[:MOST], BytesIO()
    sheet = draw([picture.data for _, picture in shown], [name_of(region) for region, _ in shown])
    sheet.save(data, "JPEG", quality=QUALITY)
    encoded = data.getvalue()
    return Picture(sha256(encoded).hexdigest(), encoded, "image/jpeg", sheet.width, sheet.height)


def names(parts: Mapping[Region, Picture]) -> str:
    """The same in words."""
    return ", ".join(name_of(region) for region in list(parts)[:MOST])
