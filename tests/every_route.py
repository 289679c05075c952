"""Sends each route of a running server bodies that it must not take. The routes are the router's own: a new one can't be forgotten."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from itertools import product
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web

from engine.connections import BoundedRunner

SAMPLES: Final = ("0123456789abcdef", "1", "a" * 64)  # for the variable pieces of addresses
BOMBS: Final = {"gzip": gzip.compress(bytes(1 << 24)), "deflate": zlib.compress(bytes(1 << 24))}
MOST_MEMORY: Final = 1 << 23  # bytes, for all that is refused: half of one bomb
Served = list[web.Application]


@contextmanager
def noting_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The applications that are served in this block behind the limits of engine/connections.py."""
    found: Served = []
    made = BoundedRunner.__init__

    def noted(self: BoundedRunner, app: web.Application, *given: Any, **options: Any) -> None:
        found.append(app)
        made(self, app, *given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(BoundedRunner, "__init__", noted)
        yield found


def every_route(app: web.Application) -> list[tuple[str, str]]:
    """The method and an address of each; HEAD is GET's handler."""
    routes = [route for route in app.router.routes() if route.method != "HEAD"]
    return [(route.method, address(route.resource)) for route in routes if route.resource is not None]


def address(resource: web.AbstractResource) -> str:
    told = resource.get_info()
    if "path" in told:
        return told["path"]
    names = told["pattern"].groupindex
    filled = (told["formatter"].format(**dict(zip(names, values, strict=True))) for values in product(SAMPLES, repeat=len(names)))
    return next(each for each in filled if told["pattern"].fullmatch(each))


async def assert_bounded(url: str, app: web.Application, limits: Mapping[str, int], small: int, headers: Mapping[str, str]) -> None:
    """Each route answers 413 to what is longer than its limit, and 413 or 415 to what grows.

    `limits`: in bytes, by address, of those that take more than `small`: they do it in little memory. The others refuse what says that
    it is longer before it is sent. `headers`: of somebody who may ask.
    """
    async with aiohttp.ClientSession(url, headers=headers) as http:
        for method, path in every_route(app):
            with in_little_memory(path) if path in limits else nullcontext():
                if path not in limits:
                    said = {**headers, "Content-Length": str(small + 1)}
                    assert await first_line(url, method, path, said) == 413, (method, path)
                async with http.request(method, path, data=chunks(limits.get(path, small) + 1)) as answer:
                    assert answer.status == 413, (method, path)
                for coding, bomb in BOMBS.items():
                    grows = {**headers, "Content-Length": str(len(bomb)), "Content-Encoding": coding}
                    assert await first_line(url, method, path, grows, bomb) in {413, 415}, (method, path, coding)


@contextmanager
def in_little_memory(doing: str) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY, doing
    finally:
        tracemalloc.stop()


async def assert_hung_up(url: str, app: web.Application, headers: Mapping[str, str]) -> None:
    """Each route closes the connection of somebody who sends no more of a body."""
    slow = {**headers, "Content-Length": "100"}
    told = await asyncio.gather(*(first_line(url, method, path, slow, b"{") for method, path in every_route(app)))
    assert set(told) == {0}


async def chunks(size: int) -> AsyncIterator[bytes]:
    """A file in a form that does not end; as JSON it is as good as anything."""
    yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    for start in range(0, size, 1 << 14):
        yield bytes(min(1 << 14, size - start))


async def first_line(url: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b"{") -> int:
    """The status; 0: it was hung up. Clients of Python's would not send such requests."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    told = {"Host": f"{host}:{port}", "Connection": "close", **headers}
    with closing(writer):
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        line = await reader.readline()
        return int(line.split()[1]) if line else 0
