"""The page's routes refuse bodies that are too large, grow, break off or are not what they say: with a 4xx, and no traceback."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from adapters import requests
from adapters.requests import SMALL_BODY, same_secret
from adapters.run import running
from adapters.services import open_services
from adapters.web import adapter
from adapters.web.hub import Hubs
from adapters.web.pages import UploadLimits
from adapters.web.platform import WebPlatform
from adapters.web.security import COOKIE, Sessions
from adapters.web.server import FORM_OVERHEAD
from bot.config.schema import Config
from engine.connections import Bounds
from tests.adapters.conformance import Listener
from tests.adapters.web.browserless import Visitor, page_server
from tests.bot.rig import ScriptedEngine, echo
from tests.every_route import assert_bounded, assert_hung_up, noting_servers

PASSWORD = "honk honk"
SMALL_ROUTES = ("/login", "/logout", "/api/devices", "/api/buttons", "/api/conversations/0/title", "/wall/0123456789abcdef/hidden", "/no")
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
async def locked(caplog: pytest.LogCaptureFixture) -> AsyncIterator[str]:
    hubs = Hubs()
    async with page_server(Listener(), WebPlatform(hubs), hubs, password=PASSWORD, limits=UploadLimits(bytes=2_000_000)) as url:
        yield url
    assert not caplog.records  # aiohttp logs a traceback for every 500


async def said(url: str, head: str, body: bytes = b"", length: int | None = None) -> bytes:
    """The first line of the answer, where there is one: clients of Python's would not send such requests."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    same = f"Host: {host}:{port}\r\nOrigin: {url}\r\nConnection: close\r\nContent-Length: {len(body) if length is None else length}\r\n"
    with closing(writer):
        writer.write(head.replace("\r\n", f"\r\n{same}", 1).encode("latin-1") + b"\r\n" + body)
        return await reader.readline()


async def status(url: str, head: str, body: bytes = b"") -> int:
    return int((await said(url, head, body)).split()[1])


async def test_only_uploads_may_be_large(locked: str) -> None:
    for route in SMALL_ROUTES:
        declared = await said(locked, f"POST {route} HTTP/1.1\r\n", b"password=", SMALL_BODY + 1)  # answered before it is sent
        assert declared.split()[1] == b"413", route
        async with (
            aiohttp.ClientSession(headers={"Origin": locked}) as http,
            http.post(locked + route, data=chunks(SMALL_BODY + 1)) as response,
        ):
            assert response.status == 413, route


async def chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 1 << 14):
        yield bytes(min(1 << 14, size - start))


BOMBS = {"gzip": gzip.compress(bytes(1 << 20)), "deflate": zlib.compress(bytes(1 << 20)), "made-up": b"x"}


@pytest.mark.parametrize("coding", BOMBS)
async def test_bodies_that_grow_are_taken_by_no_route(locked: str, coding: str) -> None:
    bomb = BOMBS[coding]
    for route in (*SMALL_ROUTES, "/api/messages"):
        assert await status(locked, f"POST {route} HTTP/1.1\r\nContent-Encoding: {coding}\r\n", bomb) in {400, 415}


FORM = "Content-Type: multipart/form-data; boundary=b\r\n"
MESSAGE = b'--b\r\nContent-Disposition: form-data; name="message"\r\n'
BROKEN = {
    "a charset nobody knows": (f"Content-Type: {URLENCODED}; charset=klingon\r\n", b"password=x"),
    "letters of another charset": (f"Content-Type: {URLENCODED}\r\n", b"password=\xff"),
    "escaped letters of another charset": (f"Content-Type: {URLENCODED}\r\n", b"password=%ff%fe"),
    "no boundary": ("Content-Type: multipart/form-data\r\n", b"x"),
    "a form that breaks off": (
        FORM,
        b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\n{',
    ),
    "another boundary": (FORM, b"--c\r\n\r\n"),
    "a control character in a name": (FORM, b'--b\r\nContent-Disposition: form-data; name="a\x08"\r\n\r\nx\r\n--b--\r\n'),
    "a part without a name": (FORM, b"--b\r\n\r\nx\r\n--b--\r\n"),
    "a nested form": (
        FORM,
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n",
    ),
    "a part of an unknown encoding": (
        FORM,
        MESSAGE + b"Content-Transfer-Encoding: klingon\r\n\r\nx\r\n--b--\r\n",
    ),
    "a part of an unknown charset": (
        FORM,
        MESSAGE + b"Content-Type: text/plain; charset=klingon\r\n\r\nx\r\n--b--\r\n",
    ),
}


@pytest.mark.parametrize(("head", "body"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_body_is_refused_in_words(locked: str, head: str, body: bytes) -> None:
    cookie = f"{COOKIE}={Sessions(PASSWORD).cookie_for('a' * 48)}"
    for route in ("/login", "/api/messages", "/api/buttons"):
        assert await status(locked, f"POST {route} HTTP/1.1\r\nCookie: {cookie}\r\n{head}", body) in {303, 400}


ODD = {
    "a cookie that is no UTF-8": "GET /api/session HTTP/1.1\r\nCookie: gander=\xff.\xff\r\n",
    "a signature that is no UTF-8": f"GET /api/session HTTP/1.1\r\nCookie: gander={'a' * 48}.\xff\r\n",
    "5,000 digits": f"GET /api/messages?limit={'9' * 5000} HTTP/1.1\r\n",
    "a path of 7,000 letters": f"GET /static/{'a' * 7000} HTTP/1.1\r\n",
    "a file's name of 7,000 letters": f"GET /api/files/x/{'a' * 7000} HTTP/1.1\r\n",
    "a path with a zero": "GET /static/%00 HTTP/1.1\r\n",
    "a path that is no UTF-8": "GET /static/%ff HTTP/1.1\r\n",
    "a language that is no UTF-8": "GET /api/start HTTP/1.1\r\nAccept-Language: \xff\r\n",
    "a host that is no UTF-8": "GET /api/start HTTP/1.1\r\nHost: \xff\r\n",
}


@pytest.mark.parametrize("head", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_an_odd_request_is_no_fault_of_ours(head: str, password: str | None, caplog: pytest.LogCaptureFixture) -> None:
    hubs = Hubs()
    async with page_server(Listener(), WebPlatform(hubs), hubs, password=password) as url:
        known = "" if "Cookie" in head else f"Cookie: {COOKIE}={Sessions(password).cookie_for('a' * 48)}\r\n"
        assert await status(url, head + known) < 500
    assert not caplog.records


async def test_who_sends_a_body_too_slowly_is_hung_up(locked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.1)
    assert await said(locked, "POST /login HTTP/1.1\r\n", b"pass", 100) == b""


async def test_each_route_of_the_whole_page_has_a_length_and_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walls', the conversations' and the figures' too: of a bot as it runs."""
    monkeypatch.setattr(adapter, "UploadLimits", partial(UploadLimits, bytes=1 << 18))
    config = Config.model_validate({"web": {"port": 0}, "media": {"read_writing": False}})
    with noting_servers(monkeypatch) as servers:
        async with open_services(config, tmp_path, [ScriptedEngine(echo)]) as services, running(services), adapter.page(services) as url:
            async with Visitor(url) as visitor:
                cookie = "; ".join(f"{each.key}={each.value}" for each in visitor.jar)
            headers = {"Origin": url, "Cookie": cookie, "Content-Type": "multipart/form-data; boundary=b"}
            (app,) = servers
            await assert_bounded(url, app, {"/api/messages": (1 << 18) + FORM_OVERHEAD}, SMALL_BODY, headers)
            for seconds in ("adapters.requests.BODY_SECONDS", "adapters.web.forms.UPLOAD_SECONDS"):
                monkeypatch.setattr(seconds, 0.1)
            await assert_hung_up(url, app, headers)


async def test_silent_connections_keep_nobody_from_the_page() -> None:
    hubs = Hubs()
    async with page_server(Listener(), WebPlatform(hubs), hubs, bounds=Bounds(connections=3)) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(30)]
        async with Visitor(url) as visitor:
            assert (await visitor.get("/api/session"))["signed_in"] is False
        for _, writer in silent:
            writer.close()


async def test_headers_have_a_time() -> None:
    hubs = Hubs()
    async with page_server(Listener(), WebPlatform(hubs), hubs, bounds=Bounds(idle_seconds=0.2)) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        with closing(writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: ")
            assert await reader.read() == b""  # hung up; the test's own limit fails it otherwise


@pytest.mark.parametrize("given", ["", "hon", "honk honk ", "\udcff", "ħonk"])
def test_a_secret_is_compared_whatever_was_given(given: str) -> None:
    assert not same_secret(given, PASSWORD)
    assert same_secret(PASSWORD, PASSWORD)
