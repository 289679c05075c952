"""Turns an attached file into pictures: fetched up to a limit, recognised by its first bytes, decoded in a child process.

A film, or a picture that moves, becomes a few of its frames.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from bot.errors import DeliveryError, Refusal
from bot.media.decoder_pool import MIB, Box, Mark
from bot.media.fair_semaphore import FairSemaphore
from bot.message import Attachment, Picture

HEAD: Final = 512  # bytes that settle what a file is
NAME_LENGTH: Final = 48
AT_ONCE: Final = 16  # of the largest files in memory: a room full of people that all show something large must not fill it
UNKNOWN_SIZE: Final = MIB  # what a file of unknown size counts for, and the least that any file does
KINDS: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (8, b"WEBP", "WEBP"),
    (4, b"ftypavi", "AVIF"),  # avif, and avis for sequences
    (4, b"ftyphe", "HEIF"),  # heic, heix, hevc, heim …
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftypmsf1", "HEIF"),
)


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What one file may take: `size` in bytes, `seconds` for fetching it."""

    size: int = 20 * MIB
    seconds: float = 30.0


class Decoder(Protocol):
    """What turns a file into a Picture, or refuses: `decoder_pool.Decoders`."""

    async def decode(self, data: bytes, kind: str, whose: str = "", box: Box | None = None, marks: Sequence[Mark] = ()) -> Picture: ...


FILMS: Final = frozenset({"MP4", "MATROSKA"})


class Sampler(Protocol):
    """What takes frames from a film, or refuses: `films.FilmFrames`."""

    async def take(self, data: bytes, kind: str, whose: str = "", count: int | None = None) -> tuple[Picture, ...]: ...


def recognise(head: bytes) -> str:
    """Pillow's name of the format that a file's first bytes announce, or one of FILMS; its name and its claims do not count.

    Raises Refusal for what is neither picture nor film, vector drawings among them.
    """
    riff_of_another_kind = head.startswith(b"RIFF") and head[8:12] != b"WEBP"
    for offset, magic, kind in () if riff_of_another_kind else KINDS:
        if head.startswith(magic, offset):
            return kind
    if b"<svg" in head.lower():
        raise Refusal("picture.vector")
    if head.startswith((b"ftyp", b"moov"), 4):
        return "MP4"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "MATROSKA"
    raise Refusal("picture.unknown" if head else "picture.empty")


def moves(data: bytes, kind: str) -> bool:
    """Whether a picture may have several frames: of a GIF only decoding it tells."""
    return kind == "GIF" or (kind == "WEBP" and data[12:16] == b"VP8X" and bool(data[20] & 2))


class Intake:
    """Fetches and decodes the pictures of all people, fairly. A Refusal names the file, its fault and the limit it broke."""

    def __init__(self, limits: FileLimits, decoder: Decoder, sampler: Sampler | None = None) -> None:
        """`sampler` None: films are refused, and of what moves the first frame is taken."""
        self._limits = limits
        self._decoder = decoder
        self._sampler = sampler
        self._room = FairSemaphore(AT_ONCE * limits.size, each=AT_ONCE * limits.size // 4)

    async def take(self, attachment: Attachment, whose: str = "") -> Picture:
        """As `take_all`: of a film its first frame."""
        return (await self.take_all(attachment, whose))[0]

    async def take_all(self, attachment: Attachment, whose: str = "", frames: int | None = None) -> tuple[Picture, ...]:
        """Fetch, check and decode one file of a person: a picture, or so many `frames` of a film in their order (None: as the operator
        set). Raises Refusal."""
        try:
            async with self._room.inside(whose, min(max(attachment.size or 0, UNKNOWN_SIZE), self._limits.size)):
                data = await self._fetch(attachment)
                return await self._decode(data, self._recognise(data[:HEAD]), whose, frames)
        except Refusal as refusal:
            raise Refusal(refusal.key, name=shorten(attachment.name), **refusal.values) from refusal

    async def decode(self, data: bytes, kind: str, whose: str = "") -> Picture:
        """A whole file that lies here, of Pillow's format `kind`. Raises Refusal."""
        return await self._decoder.decode(data, kind, whose)

    async def crop(self, data: bytes, box: Box, whose: str = "") -> Picture:
        """A part of a picture that was taken before (`Picture.data`, or its `original`). Raises Refusal."""
        return await self._decoder.decode(data, recognise(data[:HEAD]), whose, box)

    async def mark(self, data: bytes, marks: Sequence[Mark], whose: str = "") -> Picture:
        """Such a picture with boxes drawn on it. Raises Refusal."""
        return await self._decoder.decode(data, recognise(data[:HEAD]), whose, None, marks)

    async def _decode(self, data: bytes, kind: str, whose: str, count: int | None) -> tuple[Picture, ...]:
        if self._sampler is not None and (kind in FILMS or moves(data, kind)):
            frames = await self._sampler.take(data, kind, whose, count)
            if kind in FILMS or len(frames) > 1:
                return (replace(frames[0], original=data), *frames[1:])
        taken = await self._decoder.decode(data, kind, whose)
        return (replace(taken, original_side=0) if moves(data, kind) else taken,)

    def _recognise(self, head: bytes) -> str:
        kind = recognise(head)
        if kind in FILMS and self._sampler is None:
            raise Refusal("picture.film")
        return kind

    async def _fetch(self, attachment: Attachment) -> bytes:
        self._check_size(attachment.size or 0)
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._read(attachment)
        except TimeoutError:
            raise Refusal("picture.fetch_too_slow", seconds=self._limits.seconds) from None
        except DeliveryError:
            raise Refusal("picture.not_fetched") from None

    async def _read(self, attachment: Attachment) -> bytes:
        data = bytearray()
        async for chunk in attachment.read():
            data += chunk
            self._check_size(len(data))
            if len(data) >= HEAD:
                self._recognise(bytes(data[:HEAD]))  # what is no picture is not fetched to its end
        return bytes(data)

    def _check_size(self, size: int) -> None:
        if size > self._limits.size:
            raise Refusal("picture.too_large", limit=self._limits.size / MIB)


def shorten(name: str) -> str:
    """A file's name for a sentence: printable, at most NAME_LENGTH characters."""
    printable = "".join(letter for letter in name if letter.isprintable())
    return printable if len(printable) <= NAME_LENGTH else printable[: NAME_LENGTH - 1] + "…"
