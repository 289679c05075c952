"""Opens an engine for one command: the one at `--engine-url`, one that runs already, or a child of our own for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.status import Status
from rich.text import Text

from adapters.cli.engine_commands import POCKET, make_ready
from bot.engines.client import EngineClient
from bot.engines.discovery import living_engines
from bot.engines.process import EngineChild, running_engine
from bot.errors import EngineUnavailable
from engine.api import Health

POLL_SECONDS = 0.2


@asynccontextmanager
async def open_engine(
    console: Console, home: Path, model: str | None, url: str | None, *, private: bool = True, adapters: Sequence[str] = ()
) -> AsyncIterator[tuple[EngineClient, Health]]:
    """A ready engine and what it says of itself: at `url`, or else of our own, with the pocket model where none is named.

    `private`: others do not find an engine that is started here. `adapters` as for `gander engine`: with a folder given, the engine is
    one that is started here; without, one that runs already may have it. Raises EngineUnavailable or EngineStartError.
    """
    folders = [f"--adapter={adapter}" for adapter in adapters if "=" in adapter]
    async with aiohttp.ClientSession() as session:
        if url:
            client = EngineClient(session, url, os.environ.get("GANDER_ENGINE_KEY"), model=model or "")
            yield client, await until_ready(console.status(f"Looking at {client.name} …"), client)
        elif not folders and (found := await running_already(console, session, home, model or POCKET)):
            yield found
        else:
            async with own_engine(console, session, home, model or POCKET, folders, private=private) as own:
                yield own


@asynccontextmanager
async def own_engine(
    console: Console, session: aiohttp.ClientSession, home: Path, model: str, arguments: Sequence[str] = (), *, private: bool
) -> AsyncIterator[tuple[EngineClient, Health]]:
    """An engine that starts with this block and ends with it."""
    make_ready(home, model, quiet=True)
    status = console.status("Starting the engine …")
    status.start()
    try:
        async with running_engine(home, model, arguments, private=private) as child:
            client = EngineClient(session, await child.url(), child.key)
            yield client, await until_ready(status, client, child)
    finally:
        status.stop()


async def running_already(console: Console, session: aiohttp.ClientSession, home: Path, model: str) -> tuple[EngineClient, Health] | None:
    """The first engine that runs from this data folder with this model and can answer."""
    for engine in await asyncio.to_thread(lambda: list(living_engines(home, model))):
        client = EngineClient(session, engine.url, engine.key)
        try:
            health = await until_ready(console.status("Waiting for the engine that is starting …"), client)
        except EngineUnavailable:
            continue
        console.print(Text(f"Asking the engine that runs already (process {engine.pid}).", style="dim"))
        return client, health
    return None


async def until_ready(status: Status, client: EngineClient, child: EngineChild | None = None) -> Health:
    """Shows the seconds that are left while the weights load."""
    with status:
        while True:
            try:
                health = await client.health()
            except EngineUnavailable:
                if child is None:
                    raise
                child.check()
            else:
                if health.status == "ready":
                    return health
                if health.status == "failed":
                    raise EngineUnavailable(f"The engine can't answer: {health.detail}")
                left = f"about {health.seconds_left:.0f} s left" if health.seconds_left else "a first start takes longer"
                status.update(f"Loading {health.model}: {left} …")
            await asyncio.sleep(POLL_SECONDS)
