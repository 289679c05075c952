"""Proxies on loopback, HTTP and SOCKS5, that bring every connection to one server, whatever host was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

from yarl import URL


@dataclass
class Proxy:
    """`asked`: the hosts that were asked for; a SOCKS5 proxy is told them, and an HTTP one reads them in the request."""

    target: URL
    socks: bool
    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):  # also when the test ends meanwhile
            head = await (self._greet(reader, writer) if self.socks else self._read_request(reader))
            there, back = await asyncio.open_connection(self.target.host, self.target.port)
            with closing(back), suppress(ConnectionError):  # either side may hang up
                back.write(head)
                await asyncio.gather(_pipe(reader, back), _pipe(there, writer))

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """RFC 1928, without authentication; the name is resolved here."""
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        *_, kind, length = await reader.readexactly(5)
        assert kind == 3, "a name, not an address: names are resolved by the proxy"
        self.asked.append((await reader.readexactly(length)).decode())
        await reader.readexactly(2)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        return b""

    async def _read_request(self, reader: asyncio.StreamReader) -> bytes:
        line = await reader.readline()
        self.asked.append(str(URL(line.split()[1].decode()).host))
        return line


@asynccontextmanager
async def proxying(target: str, *, socks: bool) -> AsyncIterator[tuple[str, Proxy]]:
    """The proxy's address, as `network.proxy` takes it."""
    proxy = Proxy(URL(target), socks)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{'socks5' if socks else 'http'}://{host}:{port}", proxy
    finally:
        server.close()


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        sink.write(data)
        await sink.drain()
    sink.close()
