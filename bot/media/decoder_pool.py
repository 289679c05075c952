"""Keeps the child processes that decode pictures: each takes one at a time, and is replaced when it takes too long or dies.

The event loop only moves bytes; decoding, resizing and hashing happen in `decoder_worker.py`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from bot.errors import Refusal, WorkerDied, WorkerMissing, WorkerTooSlow
from bot.media.child_process import WorkerProcess
from bot.media.fair_semaphore import FairSemaphore
from bot.message import Picture

MIB: Final = 1 << 20
MILLION: Final = 1_000_000
WORKER: Final = Path(__file__).with_name("decoder_worker.py")

NAMES: Final = {"HEIF": "HEIC"}  # where people know a format by another name than Pillow
REMEDY: Final = "in Gander's folder: pip install --force-reinstall pi-heif pillow"

Box = tuple[int, int, int, int]
"""A part of a picture: left, top, right and bottom in thousandths of its sides."""

Mark = tuple[int, int, int, int, str]
"""A box to be drawn on a picture, likewise, and its label."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """`pixels` are counted before decoding, `side` is the longest edge of the result, `memory` is address space in bytes."""

    pixels: int = 50_000_000
    side: int = 1536
    seconds: float = 10.0
    memory: int = 1024 * MIB


class DecodingProcess:
    """One child process. A picture starts it where none runs."""

    def __init__(self, limits: DecodingLimits) -> None:
        self._limits = limits
        self._worker = WorkerProcess(command(limits), limits.seconds)

    async def decode(self, data: bytes, kind: str, box: Box | None = None, marks: Sequence[Mark] = ()) -> Picture:
        """Decode one file of Pillow's format `kind`; of a stored one only the part in `box`, where that is given, or with `marks` on it.

        Raises Refusal that names the reason and the limit.
        """
        try:
            header, result = await self._worker.exchange(data, kind=kind, box=box, marks=marks)
        except WorkerMissing:
            raise Refusal("picture.no_decoder") from None
        except WorkerTooSlow:
            raise Refusal("picture.too_slow", seconds=self._limits.seconds) from None
        except WorkerDied:
            raise self._refusal("memory", kind) from None
        if "reason" in header:
            raise self._refusal(header["reason"], kind)
        side = header.get("file_side", 0)
        found = Picture(header["sha256"], result, header["media_type"], header["width"], header["height"])
        return replace(found, original=data, original_side=side) if side else found

    async def close(self) -> None:
        await self._worker.close()

    def _refusal(self, reason: str, kind: str) -> Refusal:
        if reason == "no_decoder":
            log.error("pictures of this format can't be read here: its decoder is missing", format=kind, remedy=REMEDY)
            return Refusal("picture.no_decoder_of", format=NAMES.get(kind, kind))
        if reason == "pixels":
            return Refusal("picture.too_many_pixels", limit=self._limits.pixels / MILLION)
        if reason == "memory":
            return Refusal("picture.too_much_memory", limit=self._limits.memory // MIB)
        return Refusal("picture.damaged")


def command(limits: DecodingLimits) -> tuple[str, ...]:
    """What starts a child of these limits."""
    return (sys.executable, "-I", str(WORKER), json.dumps(asdict(limits)))


class Decoders:
    """A few child processes, so that one slow picture does not hold up the others."""

    def __init__(self, limits: DecodingLimits, count: int = 2) -> None:
        self._all = tuple(DecodingProcess(limits) for _ in range(count))
        self._idle = asyncio.LifoQueue[DecodingProcess]()  # last in, first out: mostly one child is ever started
        for process in self._all:
            self._idle.put_nowait(process)
        self._places = FairSemaphore(count)

    async def decode(self, data: bytes, kind: str, whose: str = "", box: Box | None = None, marks: Sequence[Mark] = ()) -> Picture:
        """As `DecodingProcess.decode`; waits while all children are busy. Next is who (`whose`) has the fewest in decoding."""
        async with self._places.inside(whose):
            process = self._idle.get_nowait()
            try:
                return await process.decode(data, kind, box, marks)
            finally:
                self._idle.put_nowait(process)

    async def close(self) -> None:
        for process in self._all:
            await process.close()
