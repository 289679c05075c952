"""Keeps the child processes that decode pictures: each takes one at a time, and is replaced when it takes too long or dies.

The event loop only moves bytes; decoding, resizing and hashing happen in `decoder_worker.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, cast

import structlog

from bot.errors import Refusal
from bot.media.decoder_worker import READY, Header
from bot.media.fair_semaphore import FairSemaphore
from bot.message import Picture

MIB: Final = 1 << 20
MILLION: Final = 1_000_000
WORKER: Final = Path(__file__).with_name("decoder_worker.py")
PASSED_ON: Final = ("LD_LIBRARY_PATH",)  # nothing else of ours: the child handles strangers' bytes and needs no secret

NAMES: Final = {"HEIF": "HEIC"}  # where people know a format by another name than Pillow
REMEDY: Final = "in Gander's folder: pip install --force-reinstall pi-heif pillow"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """`pixels` are counted before decoding, `side` is the longest edge of the result, `memory` is address space in bytes."""

    pixels: int = 50_000_000
    side: int = 1536
    seconds: float = 10.0
    memory: int = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Child:
    """A started `decoder_worker.py` and its two pipes."""

    process: asyncio.subprocess.Process
    requests: asyncio.StreamWriter
    answers: asyncio.StreamReader

    async def exchange(self, data: bytes, kind: str) -> tuple[Header, bytes]:
        self.requests.write(json.dumps({"kind": kind, "bytes": len(data)}).encode() + b"\n")
        self.requests.write(data)
        await self.requests.drain()
        line = await self.answers.readuntil(b"\n")
        header: Header = json.loads(line)
        return header, await self.answers.readexactly(header["bytes"])

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        self.requests.close()
        await self.process.wait()


async def start(limits: DecodingLimits) -> Child:
    """Start a child and wait until it is confined. Raises Refusal when it can't even start; the log says how to see why."""
    command = (sys.executable, "-I", str(WORKER), json.dumps(asdict(limits)))
    child = await _spawn(command)
    try:
        ready = await child.answers.readline() == READY
    except asyncio.CancelledError:
        await child.end()
        raise
    if not ready:
        await child.end()
        log.error("the picture decoder does not start", see_why=shlex.join(command))
        raise Refusal("picture.no_decoder")
    return child


async def _spawn(command: Sequence[str]) -> Child:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL,
        env={"MALLOC_ARENA_MAX": "1"} | {name: os.environ[name] for name in PASSED_ON if name in os.environ},
        start_new_session=True,  # Ctrl-C is the bot's to handle
    )
    return Child(process, cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout))


class DecodingProcess:
    """One child process. A picture starts it where none runs."""

    def __init__(self, limits: DecodingLimits) -> None:
        self._limits = limits
        self._child: Child | None = None

    async def decode(self, data: bytes, kind: str) -> Picture:
        """Decode one file of Pillow's format `kind`. Raises Refusal that names the reason and the limit."""
        child, self._child = self._child or await start(self._limits), None
        try:
            async with asyncio.timeout(self._limits.seconds):
                header, result = await child.exchange(data, kind)
        except TimeoutError:
            await child.end()
            raise Refusal("picture.too_slow", seconds=self._limits.seconds) from None
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
            await child.end()
            raise self._refusal("memory", kind) from None  # a native library that meets the limit ends its process
        except asyncio.CancelledError:
            await child.end()
            raise
        self._child = child
        if "reason" in header:
            raise self._refusal(header["reason"], kind)
        return Picture(header["sha256"], result, header["media_type"], header["width"], header["height"])

    async def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    def _refusal(self, reason: str, kind: str) -> Refusal:
        if reason == "no_decoder":
            log.error("pictures of this format can't be read here: its decoder is missing", format=kind, remedy=REMEDY)
            return Refusal("picture.no_decoder_of", format=NAMES.get(kind, kind))
        if reason == "pixels":
            return Refusal("picture.too_many_pixels", limit=self._limits.pixels / MILLION)
        if reason == "memory":
            return Refusal("picture.too_much_memory", limit=self._limits.memory // MIB)
        return Refusal("picture.damaged")


class Decoders:
    """A few child processes, so that one slow picture does not hold up the others."""

    def __init__(self, limits: DecodingLimits, count: int = 2) -> None:
        self._all = tuple(DecodingProcess(limits) for _ in range(count))
        self._idle = asyncio.LifoQueue[DecodingProcess]()  # last in, first out: mostly one child is ever started
        for process in self._all:
            self._idle.put_nowait(process)
        self._places = FairSemaphore(count)

    async def decode(self, data: bytes, kind: str, whose: str = "") -> Picture:
        """As `DecodingProcess.decode`; waits while all children are busy. Next is who (`whose`) has the fewest in decoding."""
        async with self._places.inside(whose):
            process = self._idle.get_nowait()
            try:
                return await process.decode(data, kind)
            finally:
                self._idle.put_nowait(process)

    async def close(self) -> None:
        for process in self._all:
            await process.close()
