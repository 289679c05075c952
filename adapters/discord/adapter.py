"""Plugs Discord into `gander run`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import structlog
from aiohttp_socks import ProxyConnector

from adapters.discord.client import DiscordClient
from adapters.discord.files import Files
from adapters.discord.invite import PORTAL, application_of
from adapters.house import House
from bot.errors import ConfigError
from bot.options import Config

log = structlog.get_logger(__name__)


def check(config: Config) -> None:
    """Raises ConfigError before anything is started."""
    application_of(config.discord.token.get_secret_value() if config.discord.token else "")


async def run(house: House, opened: Callable[[str], None]) -> None:
    """Serve until cancelled; first with the content of messages, and without it if Discord does not grant that."""
    try:
        await serve(house, sees_content=True)
    except discord.PrivilegedIntentsRequired:
        log.warning(
            "Discord does not let the bot read messages that are not meant for it. It works without, but sees no picture in a third "
            f"person's message that is replied to. To change that: {PORTAL} → your application → Bot → Message Content Intent"
        )
        await serve(house, sees_content=False)


async def serve(house: House, *, sees_content: bool) -> None:
    """Raises ConfigError for a token that Discord does not take, discord.PrivilegedIntentsRequired."""
    token = house.config.discord.token
    async with network(house.config.network.proxy) as (session, options):
        files = Files(session, options.get("proxy"))
        known: dict[str, Any] = {"sees_content": sees_content, "limits": house.config.limits}
        client = DiscordClient(house.bot, house.texts, house.config.discord, files.fetch, house.parse, **known, **options)
        reconnecting = logging.getLogger("discord.client")
        reconnecting.addFilter(without_traceback)
        try:
            async with client, beside(client.platform.watch()):
                await client.start(token.get_secret_value() if token else "")
        except discord.LoginFailure:
            raise ConfigError(
                f"Discord does not know this token. Reset it ({PORTAL} → your application → Bot) and set the new one."
            ) from None
        finally:
            reconnecting.removeFilter(without_traceback)
            house.bot.detach(client.platform)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """`work` goes on while this block does."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


def without_traceback(record: logging.LogRecord) -> bool:
    """A lost connection is one line: what discord.py was doing just then helps nobody."""
    if str(record.msg).startswith("Attempting a reconnect"):
        record.exc_info = None
    return True


@asynccontextmanager
async def network(proxy: str) -> AsyncIterator[tuple[aiohttp.ClientSession, dict[str, Any]]]:
    """A session for files, and what discord.py needs to take the same way out."""
    if not proxy:
        async with aiohttp.ClientSession() as session:
            yield session, {}
    elif proxy.startswith("socks"):
        # Names are resolved by the proxy; socks5h says so elsewhere.
        address = proxy.replace("socks5h://", "socks5://", 1)
        async with aiohttp.ClientSession(connector=ProxyConnector.from_url(address, rdns=True)) as session:
            yield session, {"connector": ProxyConnector.from_url(address, rdns=True)}
    else:
        async with aiohttp.ClientSession() as session:
            yield session, {"proxy": proxy}
