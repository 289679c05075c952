"""Opens python-telegram-bot's client as the configuration says: token, server, proxy."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from telegram import Bot, User
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from adapters.telegram.failures import delivery_error
from bot.errors import ConfigError
from bot.options import Config

UNKNOWN_BOT = "Telegram does not know this token: copy it again from @BotFather (/mybots, API Token) into GANDER_TELEGRAM_TOKEN."
CONNECTIONS = 64  # at once; more wait for their turn
PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Account:
    """The bot's account, signed in. `http` fetches files by the same way."""

    client: Bot
    me: User
    http: httpx.AsyncClient


@asynccontextmanager
async def signed_in(config: Config) -> AsyncIterator[Account]:
    """Raises ConfigError for a wrong token, DeliveryError where Telegram can't be reached."""
    os.environ.setdefault("PTB_TIMEDELTA", "1")  # its deprecated whole seconds come with a warning each
    proxy = config.network.proxy.replace("socks5h://", "socks5://") or None  # httpx resolves names there anyway
    async with httpx.AsyncClient(proxy=proxy, timeout=PATIENCE_SECONDS) as http, _client(config, proxy) as client:
        yield Account(client, client.bot, http)


@asynccontextmanager
async def _client(config: Config, proxy: str | None) -> AsyncIterator[Bot]:
    options = config.telegram
    client = Bot(
        options.token.get_secret_value() if options.token else "",
        base_url=f"{options.server}/bot",
        base_file_url=f"{options.server}/file/bot",
        request=_request(CONNECTIONS, proxy),
        get_updates_request=_request(1, proxy),
        local_mode=options.local_files,
    )
    try:
        await client.initialize()
        yield client
    except InvalidToken:
        raise ConfigError(UNKNOWN_BOT) from None
    except TelegramError as error:
        raise delivery_error(error) from error
    finally:
        await client.shutdown()


def _request(connections: int, proxy: str | None) -> HTTPXRequest:
    return HTTPXRequest(
        connections,
        read_timeout=PATIENCE_SECONDS,
        write_timeout=PATIENCE_SECONDS,
        connect_timeout=PATIENCE_SECONDS,
        pool_timeout=PATIENCE_SECONDS,
        proxy=proxy,
    )
