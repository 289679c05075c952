"""Fetches pictures, from Discord's own servers alone: a link in a message can't make the bot knock on other doors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from bot.errors import DeliveryError

HOSTS: Final = frozenset({"cdn.discordapp.com", "media.discordapp.net", "images-ext-1.discordapp.net", "images-ext-2.discordapp.net"})
CHUNK: Final = 1 << 16  # bytes

Fetch = Callable[[str], AsyncIterator[bytes]]


def allowed(url: str) -> bool:
    """Whether this address is one of Discord's own file servers."""
    parts = urlsplit(url)
    return parts.scheme == "https" and parts.hostname in HOSTS and parts.port in {None, 443}


class FileFetcher:
    """Streams files. `proxy`: an HTTP proxy's address; a SOCKS proxy is set in the session instead."""

    def __init__(self, session: aiohttp.ClientSession, proxy: str | None = None, trusted: Callable[[str], bool] = allowed) -> None:
        self._session = session
        self._proxy = proxy
        self._trusted = trusted

    async def fetch(self, url: str) -> AsyncIterator[bytes]:
        """Yield the file's bytes as they come. Raises DeliveryError."""
        if not self._trusted(url):
            raise DeliveryError(f"{urlsplit(url).hostname} is none of Discord's own servers")
        try:
            # A redirect could lead anywhere.
            async with self._session.get(url, proxy=self._proxy, allow_redirects=False) as response:
                if response.status != 200:
                    raise DeliveryError(f"Discord's file server says {response.status}")
                async for chunk in response.content.iter_chunked(CHUNK):
                    yield chunk
        except (aiohttp.ClientError, OSError) as error:
            raise DeliveryError(f"Discord's file server can't be reached: {type(error).__name__}") from error
