"""All that takes part in a round of crash tests: the bot, its engine and its database, each a process, and the chats around them."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp.test_utils import unused_port

from tests.adapters.strict.discord.api import TOKEN as DISCORD_TOKEN
from tests.adapters.strict.discord.api import serving as serving_discord
from tests.adapters.strict.discord.redirected import ADDRESS
from tests.adapters.strict.discord.world import World as DiscordWorld
from tests.adapters.strict.program import Program
from tests.adapters.strict.telegram.server import TOKEN as TELEGRAM_TOKEN
from tests.adapters.strict.telegram.server import serving as serving_telegram
from tests.chaos.bot import CLOCK
from tests.chaos.chats import Chat, DiscordChat, FaultyBotApi, FaultyDiscordApi, PageChat, TelegramChat
from tests.chaos.databases import Store

FULL_DISK_BYTES = 4096  # no file may grow beyond this, while the disk is "full"
CONFIG = """
[engine]
url = "http://127.0.0.1:{engine}"
[web]
port = {page}
[telegram]
server = "{telegram}"
[store]
url = "{store}"
[access]
everyone = true
[limits]
burst = 1000
cooldown_seconds = 0
questions_per_person = 1000
questions_overall = 1000
answer_hours = 0
"""


class Engine:
    """`tests.chaos.engine` on one port."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.chaos.engine", str(self._port))

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


@dataclass
class Stage:
    """`kills`: how often each was killed; `troubles`: how often each misfortune came."""

    bot: Program
    engine: Engine
    store: Store
    telegram: FaultyBotApi
    discord: FaultyDiscordApi
    chats: list[Chat]
    clock: Path
    page: int  # its port
    kills: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, int] = field(default_factory=dict)
    killing: asyncio.Task[None] | None = None  # the last kill, which goes on when whoever asked for it is cancelled
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)  # of whoever kills and starts processes

    async def until_served(self) -> None:
        """Until the bot's page can be reached."""
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.page)
                writer.close()
                return
            await asyncio.sleep(0.1)

    def set_clock(self, seconds: float) -> None:
        """The bot's clock is so far ahead of the machine's."""
        with self.clock.open("r+") as file:
            file.write(f"{seconds:<31}\n")

    def fill_disk(self, *, full: bool) -> None:
        """No file of the bot's may grow, or all may again."""
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        with suppress(ProcessLookupError):
            resource.prlimit(self.bot.pid, resource.RLIMIT_FSIZE, (FULL_DISK_BYTES if full else hard, hard))

    async def kill(self, *victims: str) -> None:
        """All of them, and start them again, also if this is cancelled meanwhile. A database without a server is not among them."""
        victims = tuple(each for each in victims if each != "database" or self.store.has_server)
        if victims:
            self.killing = asyncio.create_task(self._kill(victims))
            await asyncio.shield(self.killing)

    async def _kill(self, victims: tuple[str, ...]) -> None:
        async with self.turns:
            if "bot" in victims:
                self.bot.kill()
            if "engine" in victims:
                await self.engine.restart()
            if "database" in victims:
                await self.store.kill()
            if "bot" in victims:
                await self.bot.restart()
        name = " and ".join(victims)
        self.kills[name] = self.kills.get(name, 0) + 1


@asynccontextmanager
async def set_up(home: Path, store: Store, draw: random.Random) -> AsyncIterator[Stage]:
    """Everything runs until the end of the block. Its home has bot.log, and what platforms were told in telegram.log and discord.log."""
    ports = {"engine": unused_port(), "page": unused_port()}
    telegram, discord = FaultyBotApi(draw=draw), FaultyDiscordApi(draw=draw)
    telegram.group_budget = (1_000, 1.0)
    page, engine, clock = PageChat(f"http://127.0.0.1:{ports['page']}"), Engine(ports["engine"]), home / "clock"
    clock.write_text(f"{0:<31}\n")
    chats = [
        TelegramChat(telegram, private=True),
        TelegramChat(telegram, private=False),
        DiscordChat(DiscordWorld(discord.backend)),
        page,
    ]
    async with serving_telegram(telegram) as telegram_url, serving_discord(discord) as discord_address:
        (home / "gander.toml").write_text(CONFIG.format(**ports, telegram=telegram_url, store=store.url))
        environ = {
            "GANDER_DISCORD_TOKEN": DISCORD_TOKEN,
            "GANDER_TELEGRAM_TOKEN": TELEGRAM_TOKEN,
            ADDRESS: discord_address,
            CLOCK: str(clock),
        }
        await engine.start()
        try:
            async with Program(home=home, environ=environ, program=("-m", "tests.chaos.bot"), log=home / "bot.log") as bot:
                await bot.until(lambda: discord.gateway.feeder is not None)  # what was said before is not for a bot that never was there
                yield Stage(bot, engine, store, telegram, discord, chats, clock, ports["page"])
        finally:
            await page.close()
            await engine.kill()
            (home / "telegram.log").write_text("\n".join(telegram.record))
            (home / "discord.log").write_text("\n".join(discord.record))
