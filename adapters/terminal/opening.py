"""Opens a bot for one terminal: the same store and core as `gander run`, with the terminal as its only platform."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from adapters.house import open_engines, open_house
from adapters.naming import one_of_the_terminals
from adapters.run import running
from adapters.terminal.chat import Chat
from adapters.terminal.screen import Screen
from bot.options import Config


@asynccontextmanager
async def open_chat(config: Config, home: Path, console: Console) -> AsyncIterator[Chat]:
    """Raises ConfigError, EngineStartError."""
    screen = Screen(console)
    with one_of_the_terminals(home) as name:
        async with open_engines(config, home) as engines, open_house(config, home, engines, name) as house, running(house):
            house.bot.attach(screen)
            yield Chat(house.bot, screen, house.parse, os.environ.get("LC_ALL") or os.environ.get("LANG"))
            house.bot.detach(screen)
