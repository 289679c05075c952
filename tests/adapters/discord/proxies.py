"""Two small proxies on loopback, HTTP and SOCKS5, that keep a list of where they were asked to connect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from ipaddress import IPv4Address
from urllib.parse import urlsplit

Visits = list[tuple[str, int]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Greet = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[tuple[str, int, bytes]]]


@asynccontextmanager
async def http_proxy() -> AsyncIterator[tuple[str, Visits]]:
    async with _proxy(_greet_http) as (port, visits):
        yield f"http://127.0.0.1:{port}", visits


@asynccontextmanager
async def socks_proxy() -> AsyncIterator[tuple[str, Visits]]:
    async with _proxy(_greet_socks) as (port, visits):
        yield f"socks5://127.0.0.1:{port}", visits


@asynccontextmanager
async def _proxy(greet: Greet) -> AsyncIterator[tuple[int, Visits]]:
    visits: Visits = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):  # also when the test ends meanwhile
            host, port, first = await greet(reader, writer)
            visits.append((host, port))
            there, back = await asyncio.open_connection("127.0.0.1", port)  # wherever a test's name would be, the server is here
            with closing(back):
                back.write(first)
                await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], visits
    finally:
        server.close()


async def _greet_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int, bytes]:
    """Plain requests, which name their whole address."""
    line = await reader.readline()
    address = urlsplit(line.split()[1].decode())
    return str(address.hostname), address.port or 80, line


async def _greet_socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int, bytes]:
    """RFC 1928, without a password, for names and IPv4 addresses."""
    _, methods = await reader.readexactly(2)
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    kind = (await reader.readexactly(4))[3]
    host = (
        (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        if kind == 3
        else str(IPv4Address(await reader.readexactly(4)))
    )
    port = int.from_bytes(await reader.readexactly(2), "big")
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    return host, port, b""


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
