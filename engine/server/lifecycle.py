"""Starts and stops the server: binds its address, and stops on a signal, when the parent process ends, or when the worker gives up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from engine.connections import BoundedRunner, Bounds
from engine.core.worker import Worker
from engine.errors import StartError
from engine.metrics import Metrics
from engine.models.card import Card
from engine.server.app import Server
from engine.server.middleware import is_loopback

GRACE_SECONDS = 10.0  # for answers under way when the stop comes; after it they end with an error
PARTING_SECONDS = 1.0  # for sending that error, and for the device's last step
KEY_BYTES = 16  # shorter keys could be guessed

log = structlog.get_logger()


@dataclass(frozen=True)
class Bind:
    """Address and key to listen with. `supervised`: a parent process reads our address on standard output and holds our standard input."""

    host: str
    port: int
    key: str | None
    supervised: bool = False

    def check(self) -> None:
        """Raises StartError for a key that is too short, or none for an address that other machines can reach."""
        if self.key is not None and len(self.key.encode()) < KEY_BYTES:
            raise StartError(
                f"The key is shorter than {KEY_BYTES} characters and could be guessed. `openssl rand -hex 32` makes a good one."
            )
        if self.key is None and not is_loopback(self.host):
            raise StartError(
                f"Listening on {self.host} lets others use your device: set a key in GANDER_ENGINE_KEY or --key-file "
                "(`openssl rand -hex 32` makes one), or listen on 127.0.0.1."
            )


def read_key(file: Path | None) -> str | None:
    """The key from `file`, else from GANDER_ENGINE_KEY; None = no key."""
    if file is None:
        return os.environ.get("GANDER_ENGINE_KEY") or None
    try:
        key = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise StartError(f"The key file {file} can't be read: {error.strerror}.") from None
    if not key:
        raise StartError(f"The key file {file} is empty.")
    return key


async def serve(
    card: Card, worker: Worker, metrics: Metrics, bind: Bind, announce: Callable[[str], None], adapters: tuple[str, ...] = ()
) -> None:
    """Serve until SIGTERM, SIGINT, the parent's end, or the worker's. Raises StartError, or what the worker died of.

    `adapters` are the names of those that requests may ask for.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    if bind.supervised:
        await loop.connect_read_pipe(lambda: ParentWatch(stop), sys.stdin)
    app = Server(card, worker, adapters, metrics=metrics).application(bind.key)
    runner = BoundedRunner(app, Bounds(), shutdown_timeout=GRACE_SECONDS + PARTING_SECONDS)
    await runner.setup()
    url = await listen(runner, bind)  # before the model is loaded, which would be in vain if the port is taken
    work = asyncio.create_task(worker.run())
    telling = asyncio.create_task(tell_ready(worker)) if bind.supervised else None
    try:
        announce(url)
        await asyncio.wait({work, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if telling is not None:
            telling.cancel()
        closing = asyncio.create_task(runner.cleanup())
        await asyncio.wait({closing}, timeout=GRACE_SECONDS)
        worker.stop()
        await asyncio.wait({work, closing}, timeout=PARTING_SECONDS)
    for task in (work, closing):
        if task.done():
            task.result()
    if worker.death is not None and worker.status == "failed":
        raise worker.death


async def tell_ready(worker: Worker) -> None:
    """Writes a second line for the parent once the model can answer: a process that is killed before has failed to start."""
    if await worker.settled():
        sys.stdout.write(json.dumps({"ready": True}) + "\n")
        sys.stdout.flush()


async def listen(runner: web.AppRunner, bind: Bind) -> str:
    """Starts listening → the URL, with the port that the system chose for port 0."""
    try:
        await web.TCPSite(runner, bind.host, bind.port).start()
    except OSError as error:
        await runner.cleanup()
        raise StartError(f"Can't listen on {bind.host}:{bind.port}: {error.strerror}. `--port 0` takes any free port.") from None
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class ParentWatch(asyncio.Protocol):
    """Sets `stop` when standard input closes: the parent holds its other end, and it closes however the parent dies."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


def announce_to_parent(url: str) -> None:
    """Writes the URL as one JSON line to standard output; all logs go to standard error."""
    sys.stdout.write(json.dumps({"url": url}) + "\n")
    sys.stdout.flush()
