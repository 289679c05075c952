"""Takes still frames from films and moving pictures, in a child process that is started for the first one and ends when none comes."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any, Final

import structlog

from bot.errors import Refusal, WorkerDied, WorkerMissing, WorkerTooSlow
from bot.media.child_process import WorkerProcess
from bot.media.decoder_pool import MIB, MILLION
from bot.media.fair_semaphore import FairSemaphore
from bot.message import Picture

IDLE_SECONDS: Final = 60.0
MOST_FRAMES: Final = 32
MOVES: Final = 2_000  # film_worker.MOST_MOVES, for the text
REMEDY: Final = "in Gander's folder: pip install -e '.[films]'"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FilmSampling:
    """`frames` are taken from each film. `pixels` of a frame, `side` of the result, `length` in seconds of film; `seconds` of work and
    `memory`, address space in bytes."""

    frames: int = 4
    pixels: int = 10_000_000
    side: int = 1024
    length: float = 600.0
    seconds: float = 20.0
    memory: int = 1536 * MIB


class FilmFrames:
    """One child, one film at a time; next is who (`whose`) was served longest ago."""

    def __init__(self, sampling: FilmSampling) -> None:
        self._sampling = sampling
        limits = {name: value for name, value in asdict(sampling).items() if name != "frames"}
        command = [sys.executable, "-I", "-m", "bot.media.film_worker", json.dumps(limits)]
        self._worker = WorkerProcess(command, sampling.seconds, IDLE_SECONDS)
        self._place = FairSemaphore(1)

    async def take(self, data: bytes, kind: str, whose: str = "", count: int | None = None) -> tuple[Picture, ...]:
        """Frames at the middles of `count` equal parts of a film (None: `FilmSampling.frames`), in their order; fewer where it has fewer.
        `kind`: of `intake.recognise`.

        Raises Refusal that names the reason and the limit.
        """
        try:
            async with self._place.inside(whose):
                header, frames = await self._worker.exchange(data, kind=kind, count=min(count or self._sampling.frames, MOST_FRAMES))
        except WorkerMissing:
            log.error("films can't be opened", remedy=REMEDY)
            raise Refusal("picture.film") from None
        except WorkerTooSlow:
            raise Refusal("picture.too_slow", seconds=self._sampling.seconds) from None
        except WorkerDied:
            raise self._refusal("memory") from None
        if "reason" in header:
            raise self._refusal(header["reason"])
        return pictures(header["frames"], frames)

    async def close(self) -> None:
        await self._worker.close()

    def _refusal(self, reason: str) -> Refusal:
        match reason:
            case "pixels":
                return Refusal("film.too_many_pixels", limit=self._sampling.pixels / MILLION)
            case "length":
                return Refusal("film.too_long", limit=self._sampling.length / 60)
            case "keys":
                return Refusal("film.no_key_frames")
            case "moves":
                return Refusal("film.too_many_moves", limit=MOVES)
            case "memory":
                return Refusal("picture.too_much_memory", limit=self._sampling.memory // MIB)
        return Refusal("picture.damaged")


def pictures(headers: list[dict[str, Any]], frames: bytes) -> tuple[Picture, ...]:
    found, at = [], 0
    for header in headers:
        data = frames[at : at + header["bytes"]]
        at += header["bytes"]
        found.append(Picture(header["sha256"], data, header["media_type"], header["width"], header["height"], header["seconds"]))
    return tuple(found)


def can_open_films() -> bool:
    """Whether what opens films is installed; it is not imported here."""
    return find_spec("av") is not None
