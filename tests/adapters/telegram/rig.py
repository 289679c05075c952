"""The adapter, connected to the strict server, with a listener in the place of the bot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.run import running
from adapters.services import Services, open_services
from adapters.telegram import adapter
from adapters.telegram.client import Account, signed_in
from adapters.telegram.inbox import Inbox
from adapters.telegram.people import Managers
from adapters.telegram.pictures import PictureFinder
from adapters.telegram.platform import TelegramPlatform
from adapters.telegram.polling import Poller
from adapters.telegram.read_update import UpdateReader
from adapters.telegram.receive_updates import Receiver
from bot.command_registry import COMMANDS
from bot.commands.parser import parse_command
from bot.config.schema import Config
from bot.message import Invocation
from bot.store.database import open_database, sqlite_url
from bot.store.update_inbox import UpdateInbox
from bot.texts import load_texts
from tests.adapters.conformance import Listener
from tests.adapters.strict.telegram.server import TOKEN, BotApi, serving
from tests.adapters.strict.telegram.world import ME, Json, World
from tests.bot.postgres import column
from tests.bot.rig import UNHURRIED, ScriptedEngine, echo

ALBUM_SECONDS = 0.1  # a loopback server tells all parts at once


OWED = (
    "SELECT (SELECT count(*) FROM event WHERE reply IS NOT NULL) + (SELECT count(*) FROM job WHERE state != 'done')"
    " + (SELECT count(*) FROM kept_update)"
)


@dataclass
class Connected:
    api: BotApi
    account: Account
    platform: TelegramPlatform
    bot: Listener

    @property
    def world(self) -> World:
        return self.api.world


def config(address: str, telegram: Mapping[str, object] | None = None, **more: object) -> Config:
    """Writing in pictures is read in tests/bot/reading/: the child that does it would cost each test here more than a second."""
    options = {"token": TOKEN, "server": address, **(telegram or {})}
    unread = {"read_writing": False}
    return Config.model_validate({"telegram": options, "access": {"everyone": True}, "media": unread, **more})


@asynccontextmanager
async def connected(api: BotApi | None = None) -> AsyncIterator[Connected]:
    """A bot that polls."""
    api = api or BotApi()
    async with serving(api) as address, signed_in(config(address)) as account, keeping_aside() as aside:
        bot, texts = Listener(), load_texts()
        platform = TelegramPlatform(account.client, texts, PictureFinder(account.client, account.http, side=1024))
        polling = asyncio.create_task(Poller(account, Receiver(account.client, inbox(account, bot), aside)).run())
        try:
            yield Connected(api, account, platform, bot)
        finally:
            polling.cancel()
            await asyncio.wait({polling})
    if not polling.cancelled() and (error := polling.exception()):
        raise error


@asynccontextmanager
async def keeping_aside(kind: type[UpdateInbox] = UpdateInbox) -> AsyncIterator[UpdateInbox]:
    """A store of its own for updates that take long or can't be read."""
    with TemporaryDirectory() as folder:
        database = await open_database(sqlite_url(Path(folder) / "gander.db"))
        yield kind(database, "gander")
        await database.close()


@dataclass
class Whole:
    """Telegram with a whole bot on it; the engine says what the test tells it to."""

    api: BotApi
    engine: ScriptedEngine

    @property
    def world(self) -> World:
        return self.api.world

    def said(self, chat: int) -> list[Json]:
        """The bot's messages there."""
        return [each for (where, _), each in self.world.messages.items() if where == chat and each["from"] == ME]

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not seen():  # noqa: ASYNC110  # what is seen is in no one's hands to announce
                await asyncio.sleep(0.01)

    async def answers(self, chat: int, number: int = 1) -> list[str]:
        """What the bot has said there for good: once there are so many."""
        await self.until(lambda: len([each for each in self.said(chat) if "⏹" not in str(each)]) >= number)
        return [each["text"] for each in self.said(chat)]


def nothing_owed(home: Path) -> bool:
    """Whether every question is answered and shown, every reply said, every update dealt with, by the bot's own store."""
    return column(home / "gander.db", OWED) == ["0"]


@asynccontextmanager
async def whole(
    home: Path,
    engine: ScriptedEngine | None = None,
    api: BotApi | None = None,
    telegram: Mapping[str, object] | None = None,
    beside: Mapping[str, Callable[[Services], Coroutine[None, None, None]]] | None = None,
    **more: object,
) -> AsyncIterator[Whole]:
    """`adapters.telegram` as `gander run` runs it, until the end of the block."""
    api, engine = api or BotApi(), engine or ScriptedEngine(echo)
    engine.gate.set()
    async with serving(api) as address:
        options = config(address, telegram, **{"limits": UNHURRIED.model_dump(), **more})
        async with open_services(options, home, [engine]) as services:
            work = {name: partial(run, services) for name, run in (beside or {}).items()}
            async with running(services, {"telegram": partial(adapter.run, services, lambda address: None), **work}):
                whole = Whole(api, engine)
                await whole.until(lambda: bool(api.called("getUpdates") or api.webhook))
                yield whole


def inbox(account: Account, bot: Listener) -> Inbox:
    texts = load_texts()

    def parse(text: str, bot_name: str | None = None) -> Invocation | None:
        return parse_command(text, COMMANDS, texts, bot_name)

    reader = UpdateReader(account.me, PictureFinder(account.client, account.http, side=1024), Managers(account.client), texts, parse)
    return Inbox(bot, reader, ALBUM_SECONDS)
