"""Starts an engine of our own on loopback and keeps it alive: `python -m engine engine` as a supervised child.

The child takes a free port and a random key, says its address on standard output and then that it is ready, and stops when its
standard input closes: so it never outlives us, however we end. Its log goes to a file in the data folder.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final, NoReturn

import structlog
from pydantic import BaseModel, ValidationError

from bot.background import beside
from bot.backoff import listed_pause
from bot.errors import EngineStartError

HOPELESS: Final = (2, 78)  # exit codes for bad arguments and EX_CONFIG: starting again would end the same
GRACE_SECONDS: Final = 12.0  # the engine gives running answers 10 to end
PAUSES_SECONDS: Final = (0.0, 0.5, 2.0, 10.0)  # before a new start, longer with every failure in a row
ATTEMPTS: Final = len(PAUSES_SECONDS)
STEADY_SECONDS: Final = 60.0  # a child that had its model and ran so long, or was ended by a signal then, did not fail to start
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
    """One supervised engine. `supervise()` must be running in a task of its owner; `running_engine` does all of that.

    `private`: `living_engines` of other programs does not find it, whose answers would break off when it stops.
    """

    def __init__(self, home: Path, model: str, arguments: Sequence[str] = (), *, private: bool = False) -> None:
        self.key = secrets.token_hex(32)
        self.log_file = home / "logs" / "engine.log"
        self._home = home
        self._arguments = ("--model", model, *arguments, *(("--private",) if private else ()))
        self._port = 0  # after the first start the same again, so that the address stays
        self._settled = asyncio.Event()  # it listens, or has given up
        self._url = ""
        self._was_ready = False  # the child of just now had loaded its model
        self._failure: EngineStartError | None = None
        self.pid = 0

    async def supervise(self) -> NoReturn:
        """Start the engine, and start it again whenever it ends. Raises EngineStartError with its last words when that does not help."""
        try:
            await self._keep_alive()
        except OSError as error:  # no log can be written, or no process be started
            self._failure = EngineStartError(start_fault(error))
            raise self._failure from error
        except EngineStartError as error:
            self._failure = error
            raise
        finally:
            self._settled.set()

    async def _keep_alive(self) -> NoReturn:
        failures = 0
        while True:
            begun = time.monotonic()
            code = await self._live()
            steady = code < 0 or time.monotonic() - begun > STEADY_SECONDS
            failures = 0 if self._was_ready and steady else failures + 1
            if code in HOPELESS or failures == ATTEMPTS:
                raise EngineStartError(f"The engine can't start: {killed_words(-code) if code < 0 else self.last_words()}")
            pause = listed_pause(failures, PAUSES_SECONDS)
            log.warning("engine ended; starting it again", code=code, pause=pause, log=str(self.log_file))
            await asyncio.sleep(pause)

    async def url(self) -> str:
        """The engine's address, as soon as it listens. Raises EngineStartError once `supervise()` has given up."""
        await self._settled.wait()
        self.check()
        return self._url

    def check(self) -> None:
        """Raises the EngineStartError that `supervise()` gave up with, if it has."""
        if self._failure is not None:
            raise self._failure

    def last_words(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing."

    async def _live(self) -> int:
        """Start the child and wait for its end: its exit code. Cancelling stops the child first."""
        process = await self._start()
        try:
            self._was_ready = False
            if process.stdout is not None and await self._listen(process.stdout):
                self._was_ready = bool(await process.stdout.readline())
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

    async def _listen(self, output: asyncio.StreamReader) -> bool:
        """Whether it told its address; the exit code tells why not."""
        try:
            self._url = Announcement.model_validate_json(await output.readline()).url
        except ValidationError:
            return False
        self._port = int(self._url.rpartition(":")[2])
        self._settled.set()
        return True


@asynccontextmanager
async def running_engine(home: Path, model: str, arguments: Sequence[str] = (), *, private: bool = False) -> AsyncIterator[EngineChild]:
    """An engine that is started, listening and supervised inside the block, and stopped after it.

    Raises EngineStartError; the block is cancelled if that happens while it runs.
    """
    async with supervised([EngineChild(home, model, arguments, private=private)]) as (child,):
        yield child


@asynccontextmanager
async def supervised(children: Sequence[EngineChild]) -> AsyncIterator[Sequence[EngineChild]]:
    """Engines that are started, listening and supervised inside the block, and stopped after it.

    Raises EngineStartError: where one does not start at all, and, which cancels the block, where later the last one gives up.
    """
    check_installed()
    async with beside(oversee(children)):
        for child in children:
            await child.url()
        yield children


async def oversee(children: Sequence[EngineChild]) -> None:
    """Supervise all until the last one has given up, and raise its error; those before are logged."""
    lives = {asyncio.create_task(child.supervise()): child for child in children}
    try:
        while lives:
            ended, _ = await asyncio.wait(lives, return_when=asyncio.FIRST_COMPLETED)
            for life in ended:
                child = lives.pop(life)
                if not lives:
                    await life
                log.error("engine given up", reason=str(life.exception()), log=str(child.log_file))
    finally:
        for life in lives:
            life.cancel()
        if lives:
            await asyncio.wait(lives)


async def stop(process: Process) -> None:
    """Close the child's standard input, upon which it stops; kill it after GRACE_SECONDS."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), GRACE_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def killed_words(number: int) -> str:
    if number == signal.SIGKILL:
        return (
            "the system killed it while it loaded its model, as it does where memory runs out. Choose a smaller model or form "
            "(`gander model plan NAME` says what each takes), or end other programs."
        )
    return f"it ended by {signal.Signals(number).name} while it loaded its model; its log says more."


def open_log(file: Path) -> IO[bytes]:
    """Open a log to append to. One longer than LOG_BYTES is moved to `.1` first, over the one there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > LOG_BYTES:
        file.replace(file.with_suffix(".log.1"))
    return file.open("ab")


def start_fault(error: OSError) -> str:
    """Why no child could be started, with what to do."""
    if error.filename is None:  # the system has no room for a process
        return f"The engine can't be started: {error.strerror}."
    return f"{error.filename} can't be written: {error.strerror}. Make the data folder writable, or name another one by GANDER_HOME."
