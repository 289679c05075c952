"""`gander run`: configuration, then resources, then one task group with the bot and every adapter in it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from adapters.process_names import note_page, only_bot, only_on_file
from adapters.registry import Adapter, configured, load
from adapters.services import Services, open_engines, open_services
from bot.backoff import listed_pause
from bot.config.schema import Config
from bot.engines.engine import Engine
from bot.errors import BotError, ConfigError

DRAIN_SECONDS = 7.0  # for answers that are being made; the engine child has 12 more before it is killed
PAUSES_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)  # before each restart in a row
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Work = Callable[[], Coroutine[Any, Any, None]]
Opened = Callable[[str], None]  # is told an address that a person can visit

log = structlog.get_logger(__name__)


async def run(config: Config, home: Path, adapters: Mapping[str, Adapter], opened: Opened) -> None:
    """Serve these platforms until a signal comes. Raises ConfigError, EngineStartError."""
    with only_bot(home) as name, only_on_file(config.store.url, home):
        async with open_engines(config, home, lasting=True) as engines:
            await serve(config, home, engines, adapters, opened, name)


def prepare(config: Config) -> dict[str, Adapter]:
    """The adapters that are wanted, their options checked: to be called before anything is fetched or started. Raises ConfigError."""
    adapters = {name: load(name) for name in configured(config)}
    if not adapters:
        raise ConfigError("There is nothing to run: set web.enabled, GANDER_DISCORD_TOKEN or GANDER_TELEGRAM_TOKEN.")
    for adapter in adapters.values():
        adapter.check(config)
    return adapters


async def serve(config: Config, home: Path, engines: Sequence[Engine], adapters: Mapping[str, Adapter], opened: Opened, name: str) -> None:
    """Everything runs, until a signal comes; then answers in the making get `DRAIN_SECONDS`."""
    async with open_services(config, home, engines, name) as services:
        parts = {name: partial(adapter.run, services, partial(page_opened, home, opened)) for name, adapter in adapters.items()}
        async with running(services, parts) as tasks:
            await stop_asked(tasks)
            log.info("stopping", seconds=DRAIN_SECONDS, remedy="what is not answered by then is answered after the next start")
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await services.bot.drain()


def page_opened(home: Path, opened: Opened, url: str) -> None:
    note_page(home, url)
    opened(url)


@asynccontextmanager
async def running(services: Services, parts: Mapping[str, Work] | None = None) -> AsyncIterator[set[asyncio.Task[None]]]:
    """The bot and `parts` run inside this block, each started again when it fails. Gives their tasks."""
    work: dict[str, Work] = {"core": services.bot.run, "retention": services.retention.run, **(parts or {})}
    tasks = {asyncio.create_task(keep_running(name, part, partial(services.bot.served, name)), name=name) for name, part in work.items()}
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def keep_running(name: str, work: Work, worked: Callable[[], bool] = lambda: False) -> None:
    """Run `work` until it ends by itself; log what it fails with and start it again, ever later.

    Raises ConfigError: what can't be used now can't be used later. Unless it ever `worked`: then a token that is refused takes
    nobody else along, and may be good again. The same failure in a row is said once.
    """
    failures, told = 0, ""
    while True:
        begun = asyncio.get_running_loop().time()
        task = asyncio.create_task(work(), name=name)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.wait({task})
        error = task.exception()
        if error is None or (isinstance(error, ConfigError) and not worked()):
            return task.result()
        if asyncio.get_running_loop().time() - begun > PAUSES_SECONDS[-1]:
            failures, told = 0, ""
        pause = listed_pause(failures, PAUSES_SECONDS)
        if told != (told := f"{type(error).__name__}: {error}"):
            _tell(name, error, pause)
        failures += 1
        await asyncio.sleep(pause)


def _tell(name: str, error: BaseException, pause: float) -> None:
    expected = isinstance(error, BotError)  # what we know how to say in a line needs no traceback
    remedy = "the others go on; it is tried again until it works"
    log.error("failed; starting it again", part=name, pause=pause, reason=str(error), remedy=remedy, exc_info=None if expected else error)


async def stop_asked(tasks: set[asyncio.Task[None]]) -> None:
    """Wait for SIGINT or SIGTERM, or for the end of a task, whose error is raised.

    A second signal then ends the process at once, as if we were not here.
    """
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, signalled.set)
    asked = asyncio.create_task(signalled.wait())
    try:
        ended, _ = await asyncio.wait({asked, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
    for task in ended - {asked}:
        task.result()
