"""Opens python-telegram-bot's client as the configuration says: token, server, proxy."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from telegram import Bot, User
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from adapters.telegram.errors import delivery_error
from bot.config.schema import Config
from bot.errors import ConfigError

UNKNOWN_BOT = "Telegram does not know this token: copy it again from @BotFather (/mybots, API Token) into GANDER_TELEGRAM_TOKEN."
CONNECTIONS = 256  # at once; more wait for their turn
PATIENCE_SECONDS = 15.0
NO_UPDATES = b'{"ok": true, "result": []}'


class RawUpdates(HTTPXRequest):
    """Keeps what getUpdates answers as it came: the library would read all of a batch, or none."""

    batch: Sequence[Mapping[str, Any]] = ()

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        self.batch = ()
        status, body = await super().do_request(*args, **kwargs)
        if status != HTTPStatus.OK:
            return status, body
        told = self.parse_json_payload(body).get("result") or ()
        self.batch = [update for update in told if isinstance(update, dict) and isinstance(update.get("update_id"), int)]
        return status, NO_UPDATES


@dataclass(frozen=True, slots=True)
class Account:
    """The bot's account, signed in. `updates` has what getUpdates answered, `http` fetches files by the same way."""

    client: Bot
    me: User
    updates: RawUpdates
    http: httpx.AsyncClient


@asynccontextmanager
async def signed_in(config: Config) -> AsyncIterator[Account]:
    """Sign in, for as long as the block lasts. Raises ConfigError for a wrong token, DeliveryError where Telegram can't be reached."""
    os.environ.setdefault("PTB_TIMEDELTA", "1")  # its deprecated whole seconds come with a warning each
    proxy = config.network.proxy.replace("socks5h://", "socks5://") or None  # httpx resolves names there anyway
    limits = httpx.Limits(max_connections=None)  # how many files come at once is the bot's to say
    http = httpx.AsyncClient(proxy=proxy, timeout=PATIENCE_SECONDS, limits=limits, verify=_certificates())
    async with http, _client(config, proxy) as (client, updates):
        yield Account(client, client.bot, updates, http)


@asynccontextmanager
async def _client(config: Config, proxy: str | None) -> AsyncIterator[tuple[Bot, RawUpdates]]:
    options = config.telegram
    updates = RawUpdates(1, **_patience(proxy))
    client = Bot(
        options.token.get_secret_value() if options.token else "",
        base_url=f"{options.server}/bot",
        base_file_url=f"{options.server}/file/bot",
        request=HTTPXRequest(CONNECTIONS, **_patience(proxy)),
        get_updates_request=updates,
        local_mode=options.local_files,
    )
    try:
        await client.initialize()
        yield client, updates
    except InvalidToken:
        raise ConfigError(UNKNOWN_BOT) from None
    except TelegramError as error:
        raise delivery_error(error) from error
    finally:
        await client.shutdown()


def _patience(proxy: str | None) -> dict[str, Any]:
    timeouts = dict.fromkeys(("read_timeout", "write_timeout", "connect_timeout", "pool_timeout"), PATIENCE_SECONDS)
    return {"proxy": proxy, "httpx_kwargs": {"verify": _certificates()}} | timeouts


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, read once: each of our three clients would read it again."""
    return httpx.create_ssl_context()
