"""Reads the writing in pictures, in a child process that is started for the first one and ends when nothing comes for a while."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from io import BytesIO
from typing import Final, Protocol

import structlog
from PIL import Image

from bot.errors import Refusal, WorkerDied, WorkerMissing, WorkerTooSlow
from bot.media.child_process import WorkerProcess
from bot.media.decoder_pool import MIB
from bot.media.fair_semaphore import FairSemaphore
from bot.sanitize import sanitize_text

LEAST_WIDTH, LEAST_HEIGHT = 24, 8  # pixels: of the shortest word in letters that can be told
IDLE_SECONDS: Final = 60.0  # its hundreds of megabytes are given back soon
NEEDED: Final = ("rapidocr", "onnxruntime")
REMEDY: Final = "in Gander's folder: pip install -e '.[reading]'"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """For one picture: `seconds`, and `memory`, address space in bytes, of which about half is ever used."""

    seconds: float = 20.0
    memory: int = 3072 * MIB


class WritingReader(Protocol):
    """What reads the writing in a picture."""

    async def read(self, data: bytes, whose: str = "") -> str:
        """All writing in a PNG or JPEG of ours, in reading order; empty = there is none. Raises Refusal."""
        ...

    async def close(self) -> None: ...


class PictureReader:
    """One child that reads, one picture at a time; next is who (`whose`) was served longest ago."""

    def __init__(self, limits: ReadingLimits) -> None:
        self._limits = limits
        command = [sys.executable, "-I", "-m", "bot.reading.worker", json.dumps(asdict(limits))]
        self._worker = WorkerProcess(command, limits.seconds, IDLE_SECONDS)
        self._place = FairSemaphore(1)

    @property
    def running(self) -> bool:
        """Whether its child holds memory now."""
        return self._worker.running

    async def read(self, data: bytes, whose: str = "") -> str:
        if is_tiny(data):
            return ""
        try:
            async with self._place.inside(whose):
                _, text = await self._worker.exchange(data)
        except WorkerMissing:
            log.error("writing in pictures can't be read", remedy=REMEDY)
            raise Refusal("read.not_here") from None
        except WorkerTooSlow:
            raise Refusal("read.too_slow", seconds=self._limits.seconds) from None
        except WorkerDied:
            raise Refusal("read.too_much_memory", limit=self._limits.memory // MIB) from None
        return sanitize_text(text.decode())

    async def close(self) -> None:
        await self._worker.close()


def is_tiny(data: bytes) -> bool:
    """Whether a picture has no room for writing, so that no child need be started for it."""
    with Image.open(BytesIO(data), formats=["PNG", "JPEG"]) as picture:  # our own file, of which the header alone is read
        return picture.width < LEAST_WIDTH or picture.height < LEAST_HEIGHT


def can_read() -> bool:
    """Whether what reads is installed; it is not imported here."""
    return all(find_spec(name) is not None for name in NEEDED)
