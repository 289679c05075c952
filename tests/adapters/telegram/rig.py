"""The adapter, connected to the strict server, with a listener in the place of the core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.telegram.client import Account, signed_in
from adapters.telegram.inbox import Inbox
from adapters.telegram.people import Managers
from adapters.telegram.pictures import Files
from adapters.telegram.platform import TelegramPlatform
from adapters.telegram.polling import Poller
from adapters.telegram.reading import Reader
from bot.commands.parser import parse_command
from bot.commands.registry import COMMANDS
from bot.message import Invocation
from bot.options import Config
from bot.texts import load_texts
from tests.adapters.conformance import Listener
from tests.adapters.telegram.server import TOKEN, BotApi, serving
from tests.adapters.telegram.world import World

ALBUM_SECONDS = 0.1  # a loopback server tells all parts at once


@dataclass
class Connected:
    api: BotApi
    account: Account
    platform: TelegramPlatform
    bot: Listener

    @property
    def world(self) -> World:
        return self.api.world


def config(address: str, **more: object) -> Config:
    return Config.model_validate({"telegram": {"token": TOKEN, "server": address}, "access": {"everyone": True}, **more})


@asynccontextmanager
async def connected(**more: object) -> AsyncIterator[Connected]:
    """A bot that polls. `more` goes into its configuration."""
    api = BotApi()
    async with serving(api) as address, signed_in(config(address, **more)) as account:
        bot = Listener()
        polling = asyncio.create_task(Poller(account.client, inbox(account, bot)).run())
        try:
            yield Connected(api, account, TelegramPlatform(account.client), bot)
        finally:
            polling.cancel()
            await asyncio.wait({polling})
    if not polling.cancelled() and (error := polling.exception()):
        raise error


def inbox(account: Account, bot: Listener) -> Inbox:
    texts = load_texts()

    def parse(text: str, bot_name: str | None = None) -> Invocation | None:
        return parse_command(text, COMMANDS, texts, bot_name)

    reader = Reader(account.me, Files(account.client, account.http, side=1024), Managers(account.client), texts, parse)
    return Inbox(bot, reader, account.client, ALBUM_SECONDS)
