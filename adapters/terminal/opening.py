"""Opens a bot for one terminal: the same store and core as `gander run`, with the terminal as its only platform."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from itertools import count
from pathlib import Path

from rich.console import Console

from adapters.house import open_engines, open_house
from adapters.run import running
from adapters.terminal.chat import Chat
from adapters.terminal.screen import Screen
from bot.options import Config


@asynccontextmanager
async def open_chat(config: Config, home: Path, console: Console) -> AsyncIterator[Chat]:
    """Raises ConfigError, EngineStartError."""
    screen = Screen(console)
    with own_name(home) as name:
        async with open_engines(config, home) as engines, open_house(config, home, engines, name) as house, running(house):
            house.bot.attach(screen)
            yield Chat(house.bot, screen, house.parse, os.environ.get("LC_ALL") or os.environ.get("LANG"))
            house.bot.detach(screen)


@contextmanager
def own_name(home: Path) -> Iterator[str]:
    """The first name that no other terminal has: a killed one's is free at once, so that its question goes on at once."""
    home.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        with (home / f"terminal-{number}.lock").open("w") as file:
            try:
                flock(file, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                continue
            yield f"terminal-{number}"
            return
