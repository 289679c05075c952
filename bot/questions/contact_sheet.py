"""Draws the pictures that somebody may mean side by side in one, numbered as the buttons below it are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from bot.errors import Refusal
from bot.media.intake import Intake
from bot.media.tiled_sheet import save
from bot.message import Attachment
from bot.questions.recent_pictures import RecentPicture

PATIENCE_SECONDS: Final = 5.0  # for fetching: whoever waits has buttons to choose by, too

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
