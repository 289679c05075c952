"""`gander bench bot`: starts an engine's stand-in and a bot, plays messages to it, and keeps when each was where."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import IO

from adapters.bench.protocol import Message, Observed, Ready
from adapters.errors import BenchError

CHANNELS = 1_000  # with one person each, so that answers do not wait for a channel's budget of edits
WARM_UP_SECONDS = 3.0  # played and not counted
ROWS = 10_000  # that an engine is busy is not the bot's doing


@dataclass(frozen=True, slots=True)
class Load:
    """`rate`: messages a second, a share of which `asks` the bot; `words`: of each answer, which come at `pace` words a second."""

    rate: float
    asks: float
    seconds: float
    words: int
    pace: float = 40.0


@dataclass(frozen=True, slots=True)
class Run:
    start_seconds: float
    ready: Ready
    seen: Observed
    counted_from: float


def measure(load: Load) -> Run:
    """Raises BenchError with the bot's log when it ends midway."""
    with TemporaryDirectory() as folder, stand_in(load) as engine:
        log = Path(folder, "log")
        begun = monotonic()
        with log.open("w") as errors, child("adapters.bench.bot", folder, engine, stderr=errors) as bot:
            ready = Ready.model_validate_json(line(bot, log))
            start_seconds = monotonic() - begun
            begun = play(load, bot)
            seen = Observed.model_validate_json(line(bot, log))
    return Run(start_seconds, ready, seen, begun + WARM_UP_SECONDS)


def play(load: Load, bot: subprocess.Popen[str]) -> float:
    """Say every message at its time, however the earlier ones fare. Returns when the first was due."""
    random, begun = Random(7), monotonic() + 0.1  # noqa: S311 - the same times and questions in every run
    at = begun
    with suppress(BrokenPipeError), pipe(bot.stdin) as mouth:  # that the bot ended is told where it is listened to
        for number in range(round(load.rate * (load.seconds + WARM_UP_SECONDS))):
            sleep(max(at - monotonic(), 0))
            message = Message(name=f"m{number}", channel=number % CHANNELS, at=at, asks=random.random() < load.asks)
            mouth.write(f"{message.model_dump_json()}\n")
            mouth.flush()
            at += random.expovariate(load.rate)
    return begun


@contextmanager
def stand_in(load: Load) -> Iterator[str]:
    """The engine's address, for as long as the block lasts."""
    with child("adapters.bench.stand_in_engine", str(ROWS), str(1 / load.pace), str(load.words)) as engine:
        yield f"http://127.0.0.1:{pipe(engine.stdout).readline().strip()}"


@contextmanager
def child(module: str, *arguments: str, stderr: IO[str] | None = None) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def line(bot: subprocess.Popen[str], log: Path) -> str:
    said = pipe(bot.stdout).readline()
    if not said:
        raise BenchError(f"The bot ended: {log.read_text()[-2000:]}")
    return said


def pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise ValueError("the child was started without this pipe")
    return stream
