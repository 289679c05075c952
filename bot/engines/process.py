"""Starts an engine of our own on loopback and keeps it alive: `python -m engine engine` as a supervised child.

The child takes a free port and a random key, says its address on standard output and then that it is ready, and stops when its
standard input closes: so it never outlives us, however we end. Its log goes to a file in the data folder. One that hangs is killed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final, NoReturn

import aiohttp
import structlog
from pydantic import BaseModel, ValidationError

from bot.background import beside
from bot.backoff import listed_pause
from bot.engines.client import EngineClient
from bot.engines.environment import engine_environment
from bot.engines.watchdog import until_hung
from bot.errors import EngineRefused, EngineStartError, Fault
from bot.private_file import private
from engine.api import Health

HOPELESS: Final = (2, 78)  # exit codes for bad arguments and EX_CONFIG: starting again would end the same
GRACE_SECONDS: Final = 12.0  # the engine gives running answers 10 to end
PAUSES_SECONDS: Final = (0.0, 0.5, 2.0, 10.0, 30.0, 60.0)  # before a new start, longer with every short life in a row
ATTEMPTS: Final = 4  # that end by an error of its own, before it is given up, or said to be in trouble
TROUBLE_SECONDS: Final = 60.0  # that a child which ran before may fail to start, until people are told
STEADY_SECONDS: Final = 60.0  # a child that had its model and ran so long did not fail to start
ANNOUNCE_SECONDS: Final = 300.0  # within which it says its address: a disk may be slow
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
    `lasting`: once it has listened it is never given up: it is tried again ever less often, and `trouble` says why.
    """

    def __init__(self, home: Path, model: str, arguments: Sequence[str] = (), *, private: bool = False, lasting: bool = False) -> None:
        self.key = secrets.token_hex(32)
        self.log_file = home / "logs" / "engine.log"
        self._home = home
        self._arguments = ("--model", model, *arguments, *(("--private",) if private else ()))
        self._port = 0  # after the first start the same again, so that the address stays
        self._settled = asyncio.Event()  # it listens, or has given up
        self._url = ""
        self._was_ready = False  # the child of just now had loaded its model
        self._failure: EngineStartError | None = None
        self._lasting = lasting
        self._told = ""  # why it does not start, as it was logged
        self.trouble = ""  # why it does not start, though it was tried again and again; empty: it runs, or may start at any moment
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
        lives = faults = 0  # short ones in a row, and how many of them ended by an error of its own, or before the model was loaded
        since = time.monotonic()  # the first of them began
        while True:
            begun = time.monotonic()
            code, reason = await self._try_to_live()
            if self._was_ready and time.monotonic() - begun > STEADY_SECONDS:
                lives, faults, since = 0, 0, begun
            lives, faults = lives + 1, faults + (code > 0 or not self._was_ready)
            if code in HOPELESS or faults >= ATTEMPTS:
                self._despair(f"The engine can't start: {reason}", begun - since > TROUBLE_SECONDS)
            pause = listed_pause(lives, PAUSES_SECONDS)
            if not self._told:
                log.warning("engine ended; starting it again", code=code, pause=pause, log=str(self.log_file))
            await asyncio.sleep(pause)

    async def _try_to_live(self) -> tuple[int, str]:
        """One life: its exit code, negative for a signal, and its last words. Raises OSError where there can't be a first."""
        try:
            code = await self._live()
            return code, killed_words(-code) if code < 0 and not self._was_ready else self.last_words()
        except OSError as error:  # no process, no file: of a bot that serves people, that may pass
            if not self._lasts:
                raise
            return os.EX_OSERR, start_fault(error)

    @property
    def _lasts(self) -> bool:
        return self._lasting and self._settled.is_set()

    def _despair(self, reason: str, trouble: bool) -> None:
        """It does not start. Logged once. Raises EngineStartError unless it is to be tried again. `trouble`: whether people are told."""
        if not self._lasts:
            raise EngineStartError(reason)
        if reason != self._told:
            log.error("engine does not start", reason=reason, log=str(self.log_file), remedy="it is tried again until it does")
        self._told = reason
        self.trouble = reason if trouble else ""

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
        """Start the child and wait for its end: its exit code. One that hangs is killed. Cancelling stops the child first."""
        self._was_ready = False
        process = await self._start()
        try:
            if process.stdout is not None and await self._listen_soon(process, process.stdout):
                await self._watch(process, process.stdout)
            return await process.wait()
        finally:
            await stop(process)

    async def _watch(self, process: Process, output: asyncio.StreamReader) -> None:
        """Return when it ends; kill it when it hangs."""
        async with aiohttp.ClientSession() as session:
            client = EngineClient(session, self._url, self.key)
            ended, hung = asyncio.create_task(process.wait()), asyncio.create_task(until_hung(self._look(client)))
            loaded = asyncio.create_task(self._note_ready(output))
            try:
                await asyncio.wait({ended, hung}, return_when=asyncio.FIRST_COMPLETED)
                if hung.done() and process.returncode is None:
                    log.error("engine hangs; killing it", reason=hung.result(), log=str(self.log_file))
                    process.kill()
                await asyncio.wait({loaded})  # its output has an end now
            finally:
                for task in (ended, hung, loaded):
                    task.cancel()

    async def _note_ready(self, output: asyncio.StreamReader) -> None:
        self._was_ready = bool(await output.readline())

    def _look(self, client: EngineClient) -> Callable[[], Awaitable[Health]]:
        async def look() -> Health:
            health = await client.health()
            if health.status == "ready" and self._told:
                log.info("engine runs again", url=self._url)
                self._told = self.trouble = ""
            return health

        return look

    async def _start(self) -> Process:
        environment = engine_environment(self._home, self.key)
        arguments = ("engine", "--supervised", "--host", "127.0.0.1", "--port", str(self._port), *self._arguments)
        with await asyncio.to_thread(open_log, self.log_file) as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "engine", *arguments,
                stdin=PIPE, stdout=PIPE, stderr=errors, env=environment, start_new_session=True,
            )  # fmt: skip
        self.pid = process.pid
        return process

    async def _listen_soon(self, process: Process, output: asyncio.StreamReader) -> bool:
        """As `_listen`; one that takes too long is killed."""
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                return await self._listen(output)
        except TimeoutError:
            log.error("engine says nothing; killing it", seconds=ANNOUNCE_SECONDS, log=str(self.log_file))
            process.kill()
            return False

    async def _listen(self, output: asyncio.StreamReader) -> bool:
        """Whether it told its address; the exit code tells why not."""
        try:
            self._url = Announcement.model_validate_json(await output.readline()).url
        except ValidationError:
            return False
        self._port = int(self._url.rpartition(":")[2])
        self._settled.set()
        return True


class OwnEngine(EngineClient):
    """The engine that a child of ours is. Its health tells, too, why the child does not start."""

    def __init__(self, session: aiohttp.ClientSession, url: str, child: EngineChild, adapter: str = "") -> None:
        super().__init__(session, url, child.key, adapter=adapter)
        self._child = child

    async def health(self) -> Health:
        if self._child.trouble:
            raise EngineRefused(self._child.trouble, fault=Fault.START)
        return await super().health()


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
    return open(file, "ab", opener=private)


def start_fault(error: OSError) -> str:
    """Why no child could be started, with what to do."""
    if error.filename is None:  # the system has no room for a process
        return f"The engine can't be started: {error.strerror}."
    return f"{error.filename} can't be written: {error.strerror}. Make the data folder writable, or name another one by GANDER_HOME."
