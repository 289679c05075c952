"""One request never freezes the others: reading texts is the readers' work and bounded, and silent connections are hung up."""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import cast

import aiohttp
import pytest
import structlog
from aiohttp.http_exceptions import BadHttpMessage

from engine.core.build import build_engine
from engine.errors import ContextError
from engine.models.tokenizer import JsonTokenizer
from engine.prompts.turn import Turn
from engine.server.connections import Bounds, MalformedRequestFilter
from tests.engine.core.test_engine import Listener, model
from tests.engine.core.test_offline import RED, asked
from tests.engine.serving import serving
from tests.engine.tiny import TinyModel


@dataclass
class Counting:
    """A tokenizer that notes how much it reads."""

    inner: JsonTokenizer
    characters: list[int] = field(default_factory=list)

    def encode(self, text: str) -> list[int]:
        self.characters.append(len(text))
        return self.inner.encode(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


def counted() -> tuple[TinyModel, Counting]:
    made = model()
    tokenizer = Counting(made.tokenizer)
    return replace(made, tokenizer=cast(JsonTokenizer, tokenizer)), tokenizer


EMOJI = tuple(Turn("user" if number % 2 == 0 else "assistant", ("😀🦆" * 60,)) for number in range(3999))


def test_of_4000_emoji_messages_no_more_is_read_than_fits_and_nothing_by_the_device() -> None:
    made, tokenizer = counted()
    engine = build_engine(made, rows=2)
    request = engine.preprocessor.prepare(asked(*EMOJI, max_tokens=4))
    assert sum(tokenizer.characters) < 20 * made.card.context_length
    tokenizer.characters.clear()
    listener = Listener(request).join(engine)
    engine.step()
    assert not tokenizer.characters
    while engine.step():
        pass
    assert listener.done


def test_the_texts_around_a_new_picture_are_read_ahead_too() -> None:
    """What the model says of it in words, and where the texts meet it, is all that is left: never more than the window."""
    made, tokenizer = counted()
    engine = build_engine(made, rows=2)
    request = engine.preprocessor.prepare(asked(*EMOJI[:-1], Turn("user", (RED, "What is it?")), max_tokens=4))
    tokenizer.characters.clear()
    listener = Listener(request).join(engine)
    while engine.step():
        pass
    assert listener.done
    assert sum(tokenizer.characters) < 2 * made.card.context_length


def test_an_endless_message_is_refused_by_the_reader_after_a_windowful() -> None:
    made, tokenizer = counted()
    with pytest.raises(ContextError, match="maximum context length is 600 tokens"):
        build_engine(made, rows=1).preprocessor.prepare(asked(Turn("user", ("😀" * 400_000,))))
    assert sum(tokenizer.characters) < 20_000


def test_what_was_read_ahead_is_what_would_have_been_read() -> None:
    for turns in (EMOJI[:1], EMOJI[:9], (Turn("system", ("Be brief.",)), *EMOJI[:29])):
        prepared, plain = build_engine(model(), rows=1), build_engine(model(), rows=1)
        ahead = Listener(prepared.preprocessor.prepare(asked(*turns, max_tokens=6))).join(prepared)
        at_once = Listener(asked(*turns, max_tokens=6)).join(plain)
        while prepared.step() | plain.step():
            pass
        assert ahead.events == at_once.events


async def hung_up(url: str, sent: bytes) -> bytes:
    """What a client hears that sends this and then waits."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with closing(writer):
        writer.write(sent)
        return await reader.read()


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\n"
SILENT = {
    "nothing": b"",
    "half a header": HEAD,
    "half a body": HEAD + b"Content-Type: application/json\r\nContent-Length: 999\r\n\r\n{",
    "idle after an answer": b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n",
    "half a second request": b"GET /health HTTP/1.1\r\nHost: here\r\n\r\nGET /hea",
}


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT.keys())
async def test_who_says_nothing_more_is_hung_up(sent: bytes) -> None:
    async with serving(bounds=Bounds(idle_seconds=0.2, body_seconds=0.2)) as url:
        heard = await hung_up(url, sent)  # the test's own limit fails it if nobody does
    assert heard == b"" or heard.startswith(b"HTTP/1.1 ")


async def test_connections_are_bounded_and_free_again_once_one_is_closed() -> None:
    async with serving(bounds=Bounds(connections=2)) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        assert (await hung_up(url, b"")).startswith(b"HTTP/1.1 503")
        silent[0][1].close()
        async with aiohttp.ClientSession() as session:
            while True:  # until the server has noticed
                try:
                    async with session.get(f"{url}/v1/models") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    pass
        silent[1][1].close()


async def test_malformed_requests_are_one_counted_line(caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as lines:
        async with serving() as url:
            for _ in range(20):
                assert b"400" in await hung_up(url, b"GET / HTTP/1.1\r\nno header\r\n\r\n")
    assert [line["event"] for line in lines if line["event"] == "malformed requests"] == ["malformed requests"]
    assert not caplog.records


def test_the_line_says_how_many_there_were() -> None:
    now = 0.0
    counter = MalformedRequestFilter(60, lambda: now)
    error = BadHttpMessage("no")
    record = logging.LogRecord("aiohttp.server", logging.ERROR, "", 0, "", (), (BadHttpMessage, error, None))
    with structlog.testing.capture_logs() as lines:
        for second in range(0, 100, 10):
            now = float(second)
            assert not counter.filter(record)
    assert [line["so_far"] for line in lines] == [1, 7]
    assert counter.filter(logging.LogRecord("aiohttp.server", logging.ERROR, "", 0, "a real fault", (), None))
