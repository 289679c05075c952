"""Gander with the strict server in Discord's place; `python -m tests.adapters.strict.discord.redirected run` is the program itself."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route
from simcord.backend.cdn import CDN_BASE

from adapters.__main__ import main
from adapters.discord import adapter
from adapters.discord.client import DiscordClient, ShardedClient
from adapters.discord.download import FileFetcher

ADDRESS = "GANDER_TESTS_DISCORD"  # of the server, in the program's environment


def redirect(address: str, set_attribute: Callable[[Any, str, Any], None] = setattr) -> None:
    """This is where discord.py looks for Discord, and where the bot looks for files."""
    set_attribute(Route, "BASE", f"http://{address}/api/v10")
    set_attribute(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(f"ws://{address}/gateway/"))
    set_attribute(adapter, "DiscordClient", partial(DiscordClient, guild_ready_timeout=0.0))
    set_attribute(adapter, "ShardedClient", partial(ShardedClient, guild_ready_timeout=0.0))
    fetch = FileFetcher.fetch

    def from_loopback(files: FileFetcher, url: str) -> AsyncIterator[bytes]:
        files._trusted = lambda url: url.startswith(f"http://{address}/cdn/")
        return fetch(files, url.replace(CDN_BASE, f"http://{address}/cdn"))

    set_attribute(FileFetcher, "fetch", from_loopback)


if __name__ == "__main__":
    redirect(os.environ[ADDRESS])
    main()
