"""Starts an engine of our own on loopback and keeps it alive: `python -m engine engine` as a supervised child.

The child takes a free port and a random key, says its address on standard output, and stops when its standard input
closes: so it never outlives us, however we end. Its log goes to a file in the data folder.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final

import structlog
from pydantic import BaseModel, ValidationError

from bot.errors import EngineStartError

HOPELESS: Final = (2, 78)  # bad arguments; EX_CONFIG: to start the same again would end the same
GRACE_SECONDS: Final = 12.0  # the engine itself gives its answers 10
PAUSES_SECONDS: Final = (0.0, 0.5, 2.0, 10.0)  # before a new start, longer with every failure in a row
ATTEMPTS: Final = len(PAUSES_SECONDS)
STEADY_SECONDS: Final = 60.0  # an end after so long a life, or by a signal, is no failure to start
LOG_BYTES: Final = 10_000_000

log = structlog.get_logger()


def check_installed() -> None:
    """Raises EngineStartError where the bot was installed without the engine's libraries."""
    if find_spec("torch") is None:
        raise EngineStartError(
            "The engine's libraries are not installed here: `make run` installs them, or pip install '.[engine]' in Gander's folder. "
            "Or set engine.url to an engine elsewhere."
        )


class Announcement(BaseModel):
    """The one line that the child writes to standard output."""

    url: str


class EngineChild:
    """One supervised engine. `supervise()` must be running in a task of its owner; `running_engine` does all of that."""

    def __init__(self, home: Path, model: str, arguments: Sequence[str] = ()) -> None:
        self.key = secrets.token_hex(32)
        self.log_file = home / "logs" / "engine.log"
        self._home = home
        self._arguments = ("--model", model, *arguments)
        self._port = 0  # after the first start the same again, so that the address stays
        self._announced = asyncio.Event()
        self._url = ""
        self._failure: EngineStartError | None = None
        self.pid = 0

    async def supervise(self) -> None:
        """Start the engine, and start it again whenever it ends. Raises EngineStartError with its last words when that does not help."""
        failures = 0
        while True:
            begun = time.monotonic()
            code = await self._live()
            failures = 0 if code < 0 or time.monotonic() - begun > STEADY_SECONDS else failures + 1
            if code in HOPELESS or failures == ATTEMPTS:
                self._failure = EngineStartError(f"The engine can't start: {self.last_words()}")
                raise self._failure
            pause = PAUSES_SECONDS[failures]
            log.warning("engine ended; starting it again", code=code, pause=pause, log=str(self.log_file))
            await asyncio.sleep(pause)

    async def url(self) -> str:
        """The engine's address, as soon as it listens."""
        await self._announced.wait()
        return self._url

    def check(self) -> None:
        """For those who wait for it: raises what `supervise()` gave up with."""
        if self._failure is not None:
            raise self._failure

    def last_words(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."

    async def _live(self) -> int:
        """One life of the child: its exit code. Cancelling stops it gracefully first."""
        process = await self._start()
        try:
            await self._listen(process)
            return await process.wait()
        finally:
            await stop(process)

    async def _start(self) -> Process:
        environment = os.environ | {"GANDER_HOME": str(self._home), "GANDER_ENGINE_KEY": self.key}
        arguments = ("engine", "--supervised", "--host", "127.0.0.1", "--port", str(self._port), *self._arguments)
        with await asyncio.to_thread(open_log, self.log_file) as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "engine", *arguments,
                stdin=PIPE, stdout=PIPE, stderr=errors, env=environment, start_new_session=True,
            )  # fmt: skip
        self.pid = process.pid
        return process

    async def _listen(self, process: Process) -> None:
        if process.stdout is None:  # never: we asked for a pipe
            raise EngineStartError("The engine has no standard output.")
        try:
            self._url = Announcement.model_validate_json(await process.stdout.readline()).url
        except ValidationError:
            return  # it ended before it listened; the exit code tells
        self._port = int(self._url.rpartition(":")[2])
        self._announced.set()


@asynccontextmanager
async def running_engine(home: Path, model: str, arguments: Sequence[str] = ()) -> AsyncIterator[EngineChild]:
    """An engine that is started, listening and supervised inside the block, and stopped after it. Raises EngineStartError."""
    check_installed()
    child = EngineChild(home, model, arguments)
    supervision = asyncio.create_task(child.supervise())
    listening = asyncio.create_task(child.url())
    try:
        await asyncio.wait({supervision, listening}, return_when=asyncio.FIRST_COMPLETED)
        child.check()
        yield child
    finally:
        for task in (listening, supervision):
            task.cancel()
        await asyncio.wait({listening, supervision})


async def stop(process: Process) -> None:
    """Ask by closing its standard input, which also works where signals don't; then insist."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def open_log(file: Path) -> IO[bytes]:
    """Appends; a log that has grown long is kept once under `.1`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > LOG_BYTES:
        file.replace(file.with_suffix(".log.1"))
    return file.open("ab")
