"""Opens a bot for one terminal: the same store and core as `gander run`, with the terminal as its only platform."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from adapters.process_names import one_of_the_terminals
from adapters.run import running
from adapters.services import open_engines, open_services
from adapters.terminal.chat import Chat
from adapters.terminal.screen import Screen
from bot.background import beside
from bot.config.schema import Config


@asynccontextmanager
async def open_chat(config: Config, home: Path, console: Console) -> AsyncIterator[Chat]:
    """Raises ConfigError, EngineStartError."""
    screen = Screen(console)
    with one_of_the_terminals(home) as name:
        async with (
            open_engines(config, home, private=True) as engines,
            open_services(config, home, engines, name) as services,
            running(services) as tasks,
            beside(first_end(tasks)),
        ):
            services.bot.attach(screen)
            yield Chat(services.bot, screen, services.parse, os.environ.get("LC_ALL") or os.environ.get("LANG"))
            services.bot.detach(screen)


async def first_end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Raises what the first of them to end failed with."""
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        task.result()
