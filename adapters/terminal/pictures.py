"""Files that a person names on the command line, through the same door as every picture that anyone sends."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from adapters.errors import FileError
from bot.conversation import shown_parts
from bot.media.decoder_pool import Decoders, DecodingLimits
from bot.media.films import FilmFrames, FilmSampling, can_open_films
from bot.media.intake import FileLimits, Intake
from bot.message import Attachment, Picture
from engine.api import Part

ADDRESS = re.compile(r"(?P<scheme>https?|ftp):/+", re.IGNORECASE)  # a path has lost the second slash
CHUNK_BYTES = 1 << 20


async def take_pictures(paths: Sequence[Path]) -> list[Picture]:
    """Checked, upright, downscaled pictures; of a film, its frames. Raises Refusal with the reason and the limit, and FileError."""
    decoders = Decoders(DecodingLimits(), count=1)
    films = FilmFrames(FilmSampling()) if can_open_films() else None
    intake = Intake(FileLimits(), decoders, films)
    try:
        return [picture for path in paths for picture in await intake.take_all(attachment(path))]
    finally:
        await decoders.close()
        if films is not None:
            await films.close()


def is_file(path: Path) -> bool:
    """Whether this names a file. What may not be looked at is one, and opening it tells why; a long question is none."""
    try:
        return path.is_file()
    except PermissionError:
        return True
    except OSError:  # a name that no file can have
        return False


def attachment(path: Path) -> Attachment:
    if scheme := ADDRESS.match(str(path)):
        raise FileError(
            f"{scheme['scheme']}://… is an address, and pictures are read from files alone: fetch it first (curl -O …), then name the file."
        )
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FileError(f"{path} can't be opened: {error.strerror}.") from None
    if not path.is_file():
        raise FileError(f"{path} is no file.")
    return Attachment(path.name, lambda: read(path), size)


async def read(path: Path) -> AsyncIterator[bytes]:
    try:
        with await asyncio.to_thread(path.open, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise FileError(f"{path} can't be read: {error.strerror}.") from None


def picture_parts(pictures: Sequence[Picture]) -> tuple[Part, ...]:
    """The pictures as parts of a request, a film's frames after their times."""
    urls = {each.sha256: f"data:{each.media_type};base64,{base64.b64encode(each.data).decode()}" for each in pictures}
    return shown_parts([each.sha256 for each in pictures], [each.seconds for each in pictures], urls)
