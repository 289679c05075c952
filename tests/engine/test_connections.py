"""Silent connections are hung up, their number is bounded, and malformed requests fill no log."""

from __future__ import annotations

import asyncio
import logging
import resource
from contextlib import closing

import aiohttp
import pytest
import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage

from engine.connections import BoundedRunner, Bounds, MalformedRequestFilter
from tests.engine.serving import serving


async def hung_up(url: str, sent: bytes) -> bytes:
    """What a client hears that sends this and then waits."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with closing(writer):
        writer.write(sent)
        return await reader.read()


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"

SILENT = {
    "nothing": b"",
    "half a header": HEAD,
    "half a body": HEAD + b"Content-Type: application/json\r\nContent-Length: 999\r\n\r\n{",
    "idle after an answer": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "half a second request": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea",
}


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT.keys())
async def test_who_says_nothing_more_is_hung_up(sent: bytes) -> None:
    async with serving(bounds=Bounds(idle_seconds=0.2, body_seconds=0.2)) as url:
        heard = await hung_up(url, sent)  # the test's own limit fails it if nobody does
    assert heard == b"" or heard.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503"))  # and nobody was refused for another reason


async def test_the_longest_silent_connection_makes_room() -> None:
    """Whoever holds connections open without a word keeps nobody out; and the log gets one line of it."""
    with structlog.testing.capture_logs() as lines:
        async with serving(bounds=Bounds(connections=2)) as url, aiohttp.ClientSession() as session:
            host, _, port = url.removeprefix("http://").partition(":")
            silent = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
            async with session.get(f"{url}/v1/models") as answer:
                assert answer.status == 200
            for reader, _ in silent[:-2]:
                assert await reader.read() == b""
            for _, writer in silent:
                writer.close()
                await writer.wait_closed()
    assert [line["event"] for line in lines].count("too many connections") == 1


async def test_a_client_that_leaves_before_its_stream_begins_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(request: web.Request) -> web.StreamResponse:
        begun.set()
        while request.transport is not None:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)
        try:
            await (response := web.StreamResponse()).prepare(request)
            await response.write(b"hello")
        finally:
            ended.set()
        return response

    app = web.Application()
    app.router.add_get("/", work)
    runner = BoundedRunner(app, Bounds(), shutdown_timeout=1, handler_cancellation=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await begun.wait()
        writer.close()
        await writer.wait_closed()
        await ended.wait()
    finally:
        await runner.cleanup()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_connection_at_work_is_not_hung_up_for_a_newcomer() -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def work(request: web.Request) -> web.Response:
        begun.set()
        await finish.wait()
        return web.Response(text="done")

    app = web.Application()
    app.router.add_get("/", work)
    runner = BoundedRunner(app, Bounds(connections=1), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        asked = asyncio.create_task(hung_up(url, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
        await begun.wait()
        assert (await hung_up(url, b"")).startswith(b"HTTP/1.1 503")
        finish.set()
        assert (await asked).endswith(b"done")
    finally:
        await runner.cleanup()


def test_half_of_the_files_that_may_be_open_are_left_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    assert Bounds().connections == 128


async def test_malformed_requests_are_one_counted_line(caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as lines:
        async with serving() as url:
            for _ in range(20):
                assert b"400" in await hung_up(url, b"GET / HTTP/1.1\r\nno header\r\n\r\n")
    assert [line["event"] for line in lines if line["event"] == "malformed requests"] == ["malformed requests"]
    assert not caplog.records


def test_the_line_says_how_many_there_were() -> None:
    now = 0.0
    counter = MalformedRequestFilter(lambda: now)
    error = BadHttpMessage("no")
    record = logging.LogRecord("aiohttp.server", logging.ERROR, "", 0, "", (), (BadHttpMessage, error, None))
    with structlog.testing.capture_logs() as lines:
        for second in range(0, 100, 10):
            now = float(second)
            assert not counter.filter(record)
    assert [line["so_far"] for line in lines] == [1, 7]
    assert counter.filter(logging.LogRecord("aiohttp.server", logging.ERROR, "", 0, "a real fault", (), None))
