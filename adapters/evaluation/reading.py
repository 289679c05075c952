"""`gander evaluate reading`: how many characters the reader gets wrong on pages whose writing is known, by kind of page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from time import perf_counter

from PIL import Image

from adapters.errors import UsageError
from adapters.evaluation.reading_pages import Page, matplotlib_font, pages
from bot.reading.reader import REMEDY, PictureReader, ReadingLimits, WritingReader, can_read


@dataclass
class Score:
    """Characters of a group's pages, and how many edits lead from what was read to what is written."""

    letters: int = 0
    wrong_letters: int = 0
    characters: int = 0
    wrong_characters: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, written: str, read: str, seconds: float) -> None:
        bare, read_bare = (re.sub(r"\s", "", text) for text in (written, read))
        self.letters += len(bare)
        self.wrong_letters += edits(bare, read_bare)
        self.characters += len(written)
        self.wrong_characters += edits(written, read)
        self.seconds.append(seconds)

    @property
    def without_spaces(self) -> float:
        """Character error rate; spaces and line ends don't count."""
        return self.wrong_letters / self.letters

    @property
    def with_spaces(self) -> float:
        """Character error rate; spaces, indentation, line ends and empty lines count like letters."""
        return self.wrong_characters / self.characters


def edits(written: str, read: str) -> int:
    """Levenshtein's distance: letters to insert, delete or replace."""
    before = list(range(len(read) + 1))
    for at, letter in enumerate(written, start=1):
        row = [at]
        for there, other in enumerate(read, start=1):
            row.append(min(before[there] + 1, row[-1] + 1, before[there - 1] + (letter != other)))
        before = row
    return before[-1]


async def measure(reader: WritingReader, drawn: Sequence[Page]) -> dict[str, Score]:
    """The scores by group."""
    scores: dict[str, Score] = {}
    for page in drawn:
        began = perf_counter()
        read = await reader.read(as_png(page.picture))
        scores.setdefault(page.group, Score()).add(page.text, read, perf_counter() - began)
    return scores


def as_png(picture: Image.Image) -> bytes:
    data = BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


async def measure_all(chinese: Path | None) -> dict[str, Score]:
    monospaced, plain = matplotlib_font("DejaVuSansMono.ttf"), matplotlib_font("DejaVuSans.ttf")
    if monospaced is None or plain is None:
        raise UsageError("The fonts that pages are drawn with come with matplotlib: pip install matplotlib.")
    if not can_read():
        raise UsageError(f"What reads is not installed. {REMEDY}.")
    reader = PictureReader(ReadingLimits(seconds=120))
    try:
        return await measure(reader, list(pages(monospaced, plain, chinese)))
    finally:
        await reader.close()
