"""The way out to Discord: straight, or through the operator's HTTP or SOCKS5 proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace


class SocksConnector(ProxyConnector):
    """Fails as every other connection does: neither discord.py nor we expect the proxy library's own errors."""

    async def connect(self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:  # noqa: ASYNC109 - aiohttp's own signature
        try:
            return await super().connect(req, traces, timeout)
        except (ProxyConnectionError, ProxyError, ProxyTimeoutError) as error:
            raise aiohttp.ClientConnectionError(f"the proxy lets nothing through: {error}") from error


@asynccontextmanager
async def network(proxy: str) -> AsyncIterator[tuple[aiohttp.ClientSession, dict[str, Any]]]:
    """A session for files, and what discord.py needs to take the same way out."""
    if not proxy:
        async with aiohttp.ClientSession() as session:
            yield session, {}
    elif proxy.startswith("socks"):
        # Names are resolved by the proxy; socks5h says so elsewhere.
        address = proxy.replace("socks5h://", "socks5://", 1)
        async with aiohttp.ClientSession(connector=SocksConnector.from_url(address, rdns=True)) as session:
            yield session, {"connector": SocksConnector.from_url(address, rdns=True)}
    else:
        async with aiohttp.ClientSession() as session:
            yield session, {"proxy": proxy}
