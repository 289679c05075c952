"""Opens an engine for one command: the one at `--engine-url`, or a child of our own for as long as it is needed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from rich.console import Console

from bot.engine_child import EngineChild, running_engine
from bot.engine_client import EngineClient
from bot.errors import EngineUnavailable
from engine.api import Health

POLL_SECONDS = 0.2


@asynccontextmanager
async def open_engine(console: Console, home: Path, model: str, url: str | None) -> AsyncIterator[tuple[EngineClient, Health]]:
    """A ready engine and what it says of itself. Raises EngineUnavailable or EngineStartError."""
    async with aiohttp.ClientSession() as session:
        if url:
            client = EngineClient(session, url, os.environ.get("GANDER_ENGINE_KEY"))
            yield client, await until_ready(console, client)
            return
        async with running_engine(home, model) as child:
            client = EngineClient(session, await child.url(), child.key)
            yield client, await until_ready(console, client, child)


async def until_ready(console: Console, client: EngineClient, child: EngineChild | None = None) -> Health:
    """Shows the seconds that are left while the weights load."""
    with console.status("Starting the engine …") as shown:
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
                shown.update(f"Loading {health.model}: {left} …")
            await asyncio.sleep(POLL_SECONDS)
