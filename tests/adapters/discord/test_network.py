"""What the bot fetches, from where, and by which way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from adapters.discord.download import CHUNK, FileFetcher, allowed
from adapters.discord.errors import delivering
from adapters.discord.network import network
from bot.errors import DeliveryError
from tests.adapters.conformance import Listener, collect
from tests.adapters.discord.proxies import http_proxy, socks_proxy
from tests.adapters.discord.rig import AT_ONCE, Cdn, new_client
from tests.adapters.strict.discord.server import connected, wired

LARGE = bytes(range(256)) * 1024


async def picture(request: web.Request) -> web.Response:
    return web.Response(body=LARGE)


async def elsewhere(request: web.Request) -> web.Response:
    raise web.HTTPFound("/picture")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = web.Application()
    app.add_routes([web.get("/picture", picture), web.get("/elsewhere", elsewhere)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


def anywhere(url: str) -> bool:
    return True


@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.discordapp.com/a.png",
        "https://cdn.discordapp.com.evil.example/a.png",
        "https://cdn.discordapp.com@evil.example/a.png",
        "https://cdn.discordapp.com:8443/a.png",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//cdn.discordapp.com/a.png",
    ],
)
async def test_nothing_is_fetched_but_from_discord_s_own_servers(url: str) -> None:
    assert not allowed(url)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(DeliveryError, match="none of Discord's own servers"):
            await collect(FileFetcher(session).fetch(url))


def test_discord_s_own_servers_are_known() -> None:
    assert allowed("https://cdn.discordapp.com/attachments/1/2/goose.png?ex=1")
    assert allowed("https://images-ext-1.discordapp.net/external/abc/https/example.com/goose.png")


async def test_files_come_in_pieces(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        pieces = [piece async for piece in FileFetcher(session, trusted=anywhere).fetch(f"http://127.0.0.1:{port}/picture")]
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) <= CHUNK


@pytest.mark.parametrize("path", ["gone", "elsewhere"])
async def test_a_file_that_is_gone_or_elsewhere_is_not_fetched(port: int, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(DeliveryError):
            await collect(FileFetcher(session, trusted=anywhere).fetch(f"http://127.0.0.1:{port}/{path}"))


@pytest.mark.parametrize("proxy", [http_proxy, socks_proxy])
async def test_files_take_the_proxy_which_resolves_their_names(proxy: type, port: int) -> None:
    async with proxy() as (address, visits), network(address) as (session, options):
        files = FileFetcher(session, options.get("proxy"), anywhere)
        assert await collect(files.fetch(f"http://cdn.example:{port}/picture")) == LARGE
        assert visits == [("cdn.example", port)]


@pytest.mark.parametrize("proxy", [http_proxy, socks_proxy])
async def test_the_connection_takes_the_proxy(proxy: type, monkeypatch: pytest.MonkeyPatch) -> None:
    async with wired(monkeypatch, "discord.example") as wire, proxy() as (address, visits), network(address) as (_, options):
        client = new_client(Listener(), Cdn(), **AT_ONCE, **options)
        async with connected(client):
            assert wire.identified  # only the proxies know a server of that name
        assert {host for host, _ in visits} == {"discord.example"}


async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A SOCKS5 proxy that reaches nobody (RFC 1928, reply 4)."""
    await reader.readexactly(3)
    writer.write(b"\x05\x00")
    await reader.read(1 << 10)
    writer.write(b"\x05\x04\x00\x01" + bytes(6))
    writer.close()


@pytest.mark.parametrize("proxy_runs", [True, False])
async def test_a_socks_proxy_that_fails_is_a_connection_that_fails(proxy_runs: bool) -> None:
    server = await asyncio.start_server(refusing, "127.0.0.1", 0)
    address = f"socks5://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if not proxy_runs:
        server.close()
    async with network(address) as (session, _):
        with pytest.raises(DeliveryError, match="can't be reached"):
            await collect(FileFetcher(session, trusted=anywhere).fetch("http://cdn.example/picture"))
        with pytest.raises(DeliveryError, match="can't be reached"), delivering():
            await session.get("http://discord.example/")
    server.close()
