"""Plugs Discord into `gander run`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import discord
import structlog

from adapters.discord.client import DiscordClient, ShardedClient
from adapters.discord.download import FileFetcher
from adapters.discord.errors import delivering
from adapters.discord.invite import PORTAL, application_of
from adapters.discord.network import network
from adapters.discord.places import NAME, Shards
from adapters.services import Services
from bot.background import beside
from bot.config.schema import Config
from bot.errors import ConfigError
from bot.processes.duties import MoreDuties
from bot.store.database import is_sqlite

log = structlog.get_logger(__name__)


def check(config: Config) -> None:
    """Check the token and the shards before anything is started. Raises ConfigError."""
    options = config.discord
    if len(options.my_shards) < options.shards and (not config.store.url or is_sqlite(config.store.url)):
        raise ConfigError("discord.serve_shards leaves shards to other bots. They share a PostgreSQL database: name it in store.url.")
    application_of(config.discord.token.get_secret_value() if config.discord.token else "")


async def account(config: Config) -> str:
    """Ask Discord who the bot is. Raises as `serve` does."""
    async with network(config.network.proxy) as (_, options), discord.Client(intents=discord.Intents.none(), **options) as client:
        with known_token(), delivering():
            await client.login(config.discord.token.get_secret_value() if config.discord.token else "")
        flags = client.application_flags
        sees = flags.gateway_message_content or flags.gateway_message_content_limited
        return f"{client.user}{'' if sees else ', without the Message Content Intent: it works, and sees less'}"


@contextmanager
def known_token() -> Iterator[None]:
    """Raises ConfigError for a token that Discord does not take."""
    try:
        yield
    except discord.LoginFailure:
        raise ConfigError(f"Discord does not know this token. Reset it ({PORTAL} → your application → Bot) and set the new one.") from None


async def run(services: Services, opened: Callable[[str], None]) -> None:
    """Serve until cancelled. Of several bots on one database each shard is served by one; another that names it stands by, and connects
    anew with that shard, too, when it is free. Raises as `serve` does, and DutyLost."""
    token, mine = services.config.discord.token, services.config.discord
    application = application_of(token.get_secret_value() if token else "")
    shards = {f"{NAME} {application} shard {shard} of {mine.shards}": shard for shard in mine.my_shards}
    async with services.duties.collecting(shards) as held:
        while True:
            with suppress(MoreDuties):
                duties = await held.settled()
                async with beside(held.until_more()):
                    await _serve_as_allowed(services, Shards(mine.shards, tuple(sorted(shards[duty] for duty in duties))))
                return


async def _serve_as_allowed(services: Services, shards: Shards) -> None:
    """First with the content of messages, and without it if Discord does not grant that. Raises as `serve` does."""
    try:
        await serve(services, shards, sees_content=True)
    except discord.PrivilegedIntentsRequired:
        log.warning(
            "Discord does not let the bot read messages that are not meant for it. It works without, but sees no picture in a third "
            f"person's message that is replied to. To change that: {PORTAL} → your application → Bot → Message Content Intent"
        )
        await serve(services, shards, sees_content=False)


async def serve(services: Services, shards: Shards, *, sees_content: bool) -> None:
    """Raises ConfigError for a token that Discord does not take, DeliveryError where Discord can't be reached,
    discord.PrivilegedIntentsRequired."""
    token, mine = services.config.discord.token, services.config.discord
    async with network(services.config.network.proxy) as (session, options):
        files = FileFetcher(session, options.get("proxy"))
        known: dict[str, Any] = {"sees_content": sees_content, "limits": services.config.limits, "shards": shards}
        kind = DiscordClient if shards.count == 1 else ShardedClient
        client = kind(services.bot, services.texts, mine, files.fetch, services.parse, **known, **options)
        reconnecting = logging.getLogger("discord.client")
        reconnecting.addFilter(without_traceback)
        try:
            with known_token():
                async with client, beside(client.platform.watch()), beside(client.seen.follow()):
                    try:
                        with delivering():
                            await client.start(token.get_secret_value() if token else "")
                    finally:
                        services.bot.detach(client.platform)  # before the client is closed: what is said then waits for the next
        finally:
            reconnecting.removeFilter(without_traceback)


def without_traceback(record: logging.LogRecord) -> bool:
    """Drops the traceback of a lost connection from the log: one line is enough."""
    if str(record.msg).startswith("Attempting a reconnect"):
        record.exc_info = None
    return True
