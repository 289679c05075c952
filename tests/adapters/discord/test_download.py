"""Files come from Discord's own servers alone, in pieces, and not after a redirection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from adapters.discord.download import CHUNK, FileFetcher, allowed
from adapters.discord.network import network
from bot.errors import DeliveryError
from tests.adapters.conformance import collect
from tests.adapters.discord.proxies import http_proxy, socks_proxy

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
