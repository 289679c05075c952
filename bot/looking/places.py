"""Draws on a picture where a model says that things are, and shows it below the answer; what a model says is never trusted.

The engine bounds the boxes (engine/boxes.py); another server may send anything, so they are bounded here again. Drawn in the child process
that decodes pictures.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import structlog

from bot.delivery.outbox import Outbox
from bot.errors import Refusal
from bot.media.decoder_pool import Mark
from bot.media.intake import Intake
from bot.platform import Outgoing
from bot.sanitize import escape_markdown, sanitize_text, shorten_to_line
from bot.store.graph import Answer
from bot.store.pictures import PictureFiles
from bot.texts import Texts
from engine.api import NamedBox

MOST: Final = 30
NAME: Final = 40  # characters of a name
LEAST: Final = 2  # thousandths of a side

log = structlog.get_logger(__name__)


class MarkedPictures:
    """Marked pictures as files in `folder`, which exists for what goes out once."""

    def __init__(self, files: PictureFiles, intake: Intake, outbox: Outbox, texts: Texts, folder: Path) -> None:
        self._files = files
        self._intake = intake
        self._outbox = outbox
        self._texts = texts
        self._folder = folder

    async def show(self, answer: Answer, language: str, *, whose: str) -> None:
        """Below an answer that has places to show (`places_to_show`), the stored picture with numbered boxes, and a line that says what
        they are. Returns when it is shown, or can't be.

        Nothing is shown where the picture is gone, or can't be drawn: the answer stands by itself.
        """
        look = answer.look or {}
        boxes = [NamedBox.model_validate(box) for box in look.get("boxes", ())]
        if not boxes:
            return
        path = self._folder / f"places-{secrets.token_hex(6)}.jpg"
        try:
            drawn = await self._intake.mark(await self._files.load(look["picture"]), marks_of(boxes), whose)
            await asyncio.to_thread(_write, path, drawn.data)
        except (OSError, Refusal) as error:
            log.warning("places_not_drawn", reason=str(error))
            return
        names = ", ".join(f"{number} {name}".strip() for number, name in enumerate(names_of(boxes), start=1))
        text, alt = (self._texts.render(language, "find.marked", names=said) for said in (escape_markdown(names), names))
        spoiler = answer.spoiler or look["spoiler"]
        shown = Outgoing(text, spoiler=spoiler, language=language, files=(path,), alt=alt)
        await self._outbox.send_notice(answer.place, shown, answer.reply_to).closed()


def places_to_show(boxes: Sequence[NamedBox], sha256: str, *, spoiler: bool) -> dict[str, Any] | None:
    """For MessageRow.look of the answer that gives these boxes in the picture; None: none of them can be drawn."""
    found = [box.model_copy(update={"name": name}).model_dump() for box, name in zip(in_picture(boxes), names_of(boxes), strict=True)]
    return {"boxes": found, "picture": sha256, "spoiler": spoiler} if found else None


def in_picture(boxes: Sequence[NamedBox]) -> list[NamedBox]:
    """Those that can be drawn, at most MOST."""
    return [box for box in boxes[: 10 * MOST] if 0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1][:MOST]


def marks_of(boxes: Sequence[NamedBox]) -> tuple[Mark, ...]:
    """In thousandths of the picture's sides, each with its number, and its name where the font at hand has its letters."""
    marks = []
    for number, (box, name) in enumerate(zip(in_picture(boxes), names_of(boxes), strict=True), start=1):
        left, top, right, bottom = (round(1000 * edge) for edge in (box.left, box.top, box.right, box.bottom))
        label = f"{number} {name}" if name.isascii() else str(number)
        marks.append((left, top, max(right, left + LEAST), max(bottom, top + LEAST), label.strip()))
    return tuple(marks)


def names_of(boxes: Sequence[NamedBox]) -> list[str]:
    """Each in one short line, without what could format a message."""
    return [shorten_to_line(sanitize_text(box.name), NAME) for box in in_picture(boxes)]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
