"""`gander read`: the words of a picture on standard output, the same that `/read` shows and the model is told."""

from __future__ import annotations

from pathlib import Path

import typer

from adapters.errors import UsageError
from adapters.terminal.pictures import take_pictures
from bot.reading.quote import neutralise
from bot.reading.reader import REMEDY, PictureReader, ReadingLimits, can_read


async def print_words(file: Path) -> None:
    """Raises FileError and Refusal for what is no picture or can't be read, UsageError where nothing reads here."""
    if not can_read():
        raise UsageError(f"What reads writing in pictures is not installed. {REMEDY}.")
    pictures = await take_pictures([file])  # of a film, its frames
    reader = PictureReader(ReadingLimits())
    try:
        words = [neutralise(await reader.read(picture.data)) for picture in pictures]
        typer.echo("\n\n".join(dict.fromkeys(filter(None, words))))
    finally:
        await reader.close()
