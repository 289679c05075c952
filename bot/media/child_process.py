"""Child processes that handle strangers' bytes, one request at a time: started when they are needed, replaced when they hang or die.

A child gets a line of JSON with the number of `bytes` that follow, and answers likewise, after it has said READY once.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog

from bot.errors import WorkerDied, WorkerMissing, WorkerTooSlow

READY: Final = b"ready\n"
PASSED_ON: Final = ("LD_LIBRARY_PATH",)  # nothing else of ours: the child needs no secret
LONGEST_LINE: Final = 1 << 22  # bytes of an answer's JSON

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Child:
    """A started worker and its two pipes."""

    process: asyncio.subprocess.Process
    requests: asyncio.StreamWriter
    answers: asyncio.StreamReader

    async def exchange(self, data: bytes, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        self.requests.write(json.dumps({**request, "bytes": len(data)}).encode() + b"\n")
        self.requests.write(data)
        await self.requests.drain()
        header: dict[str, Any] = json.loads(await self.answers.readuntil(b"\n"))
        return header, await self.answers.readexactly(header["bytes"])

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        self.requests.close()
        await self.process.wait()


async def start(command: Sequence[str]) -> Child:
    """Start a child and wait until it is confined. Raises WorkerMissing when it can't even start; the log says how to see why."""
    child = await _spawn(command)
    try:
        ready = await child.answers.readline() == READY
    except asyncio.CancelledError:
        await child.end()
        raise
    if not ready:
        await child.end()
        log.error("a worker does not start", see_why=shlex.join(command))
        raise WorkerMissing(shlex.join(command))
    return child


async def _spawn(command: Sequence[str]) -> Child:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_LINE,
        env={"MALLOC_ARENA_MAX": "1"} | {name: os.environ[name] for name in PASSED_ON if name in os.environ},
        start_new_session=True,  # Ctrl-C is the bot's to handle
    )
    return Child(process, cast("asyncio.StreamWriter", process.stdin), cast("asyncio.StreamReader", process.stdout))


class WorkerProcess:
    """One child. A request starts it where none runs. `seconds`: for a request; unused for `idle_seconds` it ends, None = never."""

    def __init__(self, command: Sequence[str], seconds: float, idle_seconds: float | None = None) -> None:
        self._command = command
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._child: Child | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._child is not None

    async def exchange(self, data: bytes, **request: Any) -> tuple[dict[str, Any], bytes]:
        """Hand a request over; its answer. Not to be called twice at once. Raises WorkerMissing, WorkerTooSlow and WorkerDied."""
        await self._stay()
        child, self._child = self._child or await start(self._command), None
        try:
            async with asyncio.timeout(self._seconds):
                answer = await child.exchange(data, request)
        except TimeoutError:
            await child.end()
            raise WorkerTooSlow(f"took longer than {self._seconds:g} s") from None
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
            await child.end()
            raise WorkerDied("ended in the middle of a request") from None  # a native library that meets the limit ends its process
        except asyncio.CancelledError:
            await child.end()
            raise
        self._child = child
        if self._idle_seconds is not None:
            self._ending = asyncio.create_task(self._end_later(self._idle_seconds))
        return answer

    async def close(self) -> None:
        await self._stay()
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def _stay(self) -> None:
        """Call off the end of a child that is needed again."""
        ending, self._ending = self._ending, None
        if ending is not None:
            ending.cancel()
            with suppress(asyncio.CancelledError):
                await ending

    async def _end_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        child, self._child = self._child, None
        if child is not None:
            await asyncio.shield(child.end())
