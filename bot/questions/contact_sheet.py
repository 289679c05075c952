"""Draws the pictures that somebody may mean side by side in one, numbered as the buttons below it are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import structlog
from PIL import Image, ImageDraw, ImageFont, ImageOps

from bot.errors import Refusal
from bot.media.intake import Intake
from bot.message import Attachment
from bot.questions.recent_pictures import RecentPicture

TILE: Final = 320  # pixels, each way
GAP: Final = 8
LABEL: Final = 44  # pixels of a number's height
WIDE: Final = 3  # tiles in a row, of three and more than four
PATIENCE_SECONDS: Final = 5.0  # for fetching: whoever waits has buttons to choose by, too
PAPER, EMPTY, INK = (255, 255, 255), (222, 222, 222), (20, 20, 20)

log = structlog.get_logger(__name__)


class ContactSheets:
    """Sheets as files in `folder`, which exists for what goes out once."""

    def __init__(self, intake: Intake, folder: Path) -> None:
        self._intake = intake
        self._folder = folder

    async def make(self, name: str, shown: Sequence[RecentPicture], whose: str) -> Path | None:
        """The first picture of each message, fetched for the person of this key; None where none can be shown.

        A hidden picture keeps its place and is not shown; so does one that can't be fetched soon.
        """
        async with asyncio.TaskGroup() as tasks:
            taking = [tasks.create_task(self._take(each.attachments[0], whose)) for each in shown]
        pictures = [task.result() for task in taking]
        if not any(pictures):
            return None
        path = self.path(name)
        try:
            await asyncio.to_thread(save, path, pictures)
        except OSError as error:
            log.warning("contact_sheet_not_kept", reason=str(error))
            return None
        return path

    def path(self, name: str) -> Path:
        return self._folder / f"choice-{name}.jpg"

    def delete(self, name: str) -> None:
        """Nobody is asked any more."""
        self.path(name).unlink(missing_ok=True)

    async def _take(self, attachment: Attachment, whose: str) -> bytes | None:
        if attachment.spoiler or not attachment.reference:  # without one it may be read once, and the question will need that
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return (await self._intake.take(attachment, whose)).data
        except (Refusal, TimeoutError):
            return None


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
    draw(pictures, labels).save(path, "JPEG", quality=85)
