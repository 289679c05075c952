"""The way out to Discord, straight or through a proxy."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from adapters.discord.download import FileFetcher
from adapters.discord.errors import delivering
from adapters.discord.network import network
from bot.errors import DeliveryError
from tests.adapters.conformance import Listener, collect
from tests.adapters.discord.proxies import http_proxy, socks_proxy
from tests.adapters.discord.rig import AT_ONCE, Cdn, new_client
from tests.adapters.strict.discord.server import connected, wired


@pytest.mark.parametrize("proxy", [http_proxy, socks_proxy])
async def test_the_connection_takes_the_proxy(proxy: type, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wired(monkeypatch, "discord.example") as wire, proxy() as (address, visits), network(address) as (_, options):
        client = new_client(Listener(), Cdn(), **AT_ONCE, **options)
        async with connected(client):
            assert wire.identified  # only the proxies know a server of that name
        assert {host for host, _ in visits} == {"discord.example"}


async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A SOCKS5 proxy that reaches nobody (RFC 1928, reply 4)."""
    with closing(writer):  # also when the test ends meanwhile
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        await reader.read(1 << 10)
        writer.write(b"\x05\x04\x00\x01" + bytes(6))


@pytest.mark.parametrize("proxy_runs", [True, False])
async def test_a_socks_proxy_that_fails_is_a_connection_that_fails(proxy_runs: bool) -> None:
    server = await asyncio.start_server(refusing, "127.0.0.1", 0)
    address = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if not proxy_runs:
        server.close()
    async with network(address) as (session, _):
        with pytest.raises(DeliveryError, match="can't be reached"):
            await collect(FileFetcher(session, trusted=lambda url: True).fetch("http://cdn.example/picture"))
        with pytest.raises(DeliveryError, match="can't be reached"), delivering():
            await session.get("http://discord.example/")
    server.close()
