"""The client against real servers: Gander's own, one that is another's, and ones that misbehave on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from aiohttp import web

from bot.engines import client as engine_client
from bot.engines.client import SILENCE_SECONDS, EngineClient, seconds
from bot.engines.compatibility import OTHER_SERVER_ROWS
from bot.errors import AnswerLost, EngineRefused, EngineUnavailable
from engine.api import ChatRequest, Message
from engine.explanation import ExplainRequest
from tests.bot.insight.explained import explained
from tests.bot.other_servers import listening
from tests.engine.serving import serving
from tests.engine.tiny_letters import Letters


def question(text: str = "Hi", **fields: object) -> ChatRequest:
    return ChatRequest.model_validate({"messages": (Message(role="user", content=text),), **fields})


async def text_of(client: EngineClient, request: ChatRequest) -> str:
    async with aclosing(client.stream(request)) as chunks:
        return "".join([choice.delta.content or "" async for chunk in chunks for choice in chunk.choices])


@asynccontextmanager
async def talking_to(url: str, *, silence_seconds: float = SILENCE_SECONDS) -> AsyncIterator[EngineClient]:
    async with aiohttp.ClientSession() as session:
        yield EngineClient(session, url, "opensesame-opensesame", silence_seconds=silence_seconds)


@asynccontextmanager
async def answering(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server that is not Gander's: the same handler for every path."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with listening(app) as url:
        yield url


def saying(body: bytes, status: int = 200, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=headers)

    return handler


async def test_an_engine_forgets_pictures_and_another_server_is_not_asked() -> None:
    letters, asked = Letters(), list[str]()

    async def other(request: web.Request) -> web.Response:
        asked.append(request.path)
        return (
            web.json_response({"object": "list", "data": [{"id": "goose"}]}) if request.path == "/v1/models" else web.Response(status=404)
        )

    async with serving(letters.load, key="opensesame-opensesame") as url, talking_to(url) as client:
        await client.forget(["a" * 64])
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer opensesame-opensesame"}) as http:
            assert (await http.post(f"{url}/v1/forget", json={"pictures": ["../../etc/passwd"]})).status == 400
    async with answering(other) as url, talking_to(url) as client:
        await client.forget([])  # before it is known
        await client.health()
        asked.clear()
        await client.forget(["a" * 64])
    assert (letters.forgotten, asked) == (["a" * 64], [])


async def test_an_answer_streams_and_ends_with_usage() -> None:
    async with serving(key="opensesame-opensesame") as url, talking_to(f"{url}/v1/") as client:
        chunks = [chunk async for chunk in client.stream(question(max_tokens=5), "job-1")]
    assert sum(bool(choice.delta.content) for chunk in chunks for choice in chunk.choices) == 5
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage is not None


async def test_log_probabilities_come_with_the_words() -> None:
    async with serving() as url, talking_to(url) as client:
        chunks = [chunk async for chunk in client.stream(question(max_tokens=3, logprobs=True, top_logprobs=2))]
    choices = [choice for chunk in chunks for choice in chunk.choices]
    scored = [(token, choice.delta.content) for choice in choices for token in (choice.logprobs and choice.logprobs.content) or ()]
    assert len(scored) == 3
    assert all(token.token == word == token.top_logprobs[0].token and len(token.top_logprobs) == 2 for token, word in scored)


async def test_health_of_our_own_engine_and_of_another_s() -> None:
    async with serving() as url, talking_to(url) as client:
        assert (await client.health()).model == "letters"

    async def other(request: web.Request) -> web.Response:
        models = {"object": "list", "data": [{"id": "llava", "object": "model", "created": 1, "owned_by": "them"}]}
        return web.json_response(models) if request.path == "/v1/models" else web.Response()

    async with answering(other) as url, talking_to(url) as client:
        health = await client.health()
        assert (health.status, health.model, health.rows) == ("ready", "llava", OTHER_SERVER_ROWS)


async def test_only_what_was_asked_for_is_sent_so_that_strict_servers_accept_it() -> None:
    sent: list[dict[str, object]] = []

    async def strict(request: web.Request) -> web.Response:
        sent.append(await request.json())
        return web.Response(status=400)

    async with answering(strict) as url, talking_to(url) as client:
        with pytest.raises(EngineRefused):
            await text_of(client, question(temperature=0.5))
    assert set(sent[0]) == {"messages", "temperature", "stream", "stream_options"}


async def test_refusals_keep_the_engine_s_sentence_and_field() -> None:
    async with serving() as url, talking_to(url) as client:
        with pytest.raises(EngineRefused, match="64 tokens") as caught:
            await text_of(client, question("too long"))
    assert caught.value.param == "messages"


async def test_a_wrong_key_is_a_refusal() -> None:
    async with serving(key="another-key-another") as url, talking_to(url) as client:
        with pytest.raises(EngineRefused, match="key is missing or wrong"):
            await text_of(client, question())


async def test_nobody_there() -> None:
    async with talking_to("http://user:secret@127.0.0.1:9") as client:
        with pytest.raises(EngineUnavailable, match=r"No engine answers at http://127\.0\.0\.1:9 ") as caught:
            await text_of(client, question())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"), [(429, EngineUnavailable), (503, EngineUnavailable), (500, AnswerLost), (404, EngineRefused), (413, EngineRefused)]
)
async def test_any_status_is_one_of_our_errors(status: int, error: type[Exception]) -> None:
    async with answering(saying(b"<html>proxy</html>", status, **{"Retry-After": "7"})) as url, talking_to(url) as client:
        with pytest.raises(error) as caught:
            await text_of(client, question())
    assert not isinstance(caught.value, EngineUnavailable) or caught.value.retry_after == 7


CHUNK = b'data: {"id":"a","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", AnswerLost),
        (CHUNK, AnswerLost),
        (CHUNK + b"data: {broken\n\n", AnswerLost),
        (CHUNK + b"data: " + b"x" * (3 << 20) + b"\n\n", AnswerLost),
        (CHUNK + b'data: {"error":{"message":"out of memory","type":"server_error"}}\n\n', AnswerLost),
        (CHUNK + b'data: {"error":{"message":"bad","type":"invalid_request_error","param":"n"}}\n\n', EngineRefused),
    ],
)
async def test_a_stream_that_breaks_is_never_taken_for_an_answer(body: bytes, error: type[Exception]) -> None:
    async with answering(saying(body)) as url, talking_to(url) as client:
        with pytest.raises(error):
            await text_of(client, question())


async def test_a_server_that_falls_silent_is_not_waited_for_for_ever() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(CHUNK)
        await asyncio.sleep(1)
        return response

    async with answering(silent) as url, talking_to(url, silence_seconds=0.2) as client:
        with pytest.raises(AnswerLost, match="broke off"):
            await text_of(client, question())


async def test_an_engine_that_hangs_does_not_seem_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hanging(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1)
        return web.Response()

    monkeypatch.setattr(engine_client, "HEALTH_SECONDS", 0.1)
    async with answering(hanging) as url, talking_to(url) as client:
        with pytest.raises(EngineUnavailable, match="does not say how it is"):
            await client.health()


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream"])
async def test_a_server_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch, content_type: str) -> None:
    monkeypatch.setattr(engine_client, "MOST_BODY_BYTES", 1 << 20)

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" " * 65_536)
        return response

    async with answering(endless) as url, talking_to(url) as client:
        with pytest.raises(AnswerLost, match="broke off"):
            await text_of(client, question())
        with pytest.raises(EngineUnavailable):
            await client.health()


async def test_an_explanation_may_be_longer_than_other_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_client, "MOST_BODY_BYTES", 100)
    whole = explained()
    asked = ExplainRequest.about(question(), "A cat")
    async with answering(saying(whole.model_dump_json().encode(), 200)) as url, talking_to(url) as client:
        assert await client.explain(asked) == whole
        monkeypatch.setattr(engine_client, "MOST_EXPLANATION_BYTES", 100)
        with pytest.raises(EngineUnavailable):
            await client.explain(asked)


async def test_who_asked_is_not_told_where_the_engine_is() -> None:
    async with answering(saying(b"<html>proxy</html>", 413)) as url, talking_to(url) as client:
        with pytest.raises(EngineRefused, match=r"^The engine answered 413 [\w ]+\.$"):
            await text_of(client, question())


async def test_closing_the_stream_cancels_on_the_engine() -> None:
    letters = Letters(pause_seconds=0.01)
    async with serving(letters.load) as url, talking_to(url) as client:
        async with aclosing(client.stream(question(max_tokens=10_000))) as chunks:
            await anext(chunks)
        assert len(await text_of(client, question(max_tokens=3))) == 3  # one after another: the first must be off the device
    assert letters.steps < 100


@pytest.mark.parametrize(
    ("given", "expected"), [(None, 0), ("", 0), ("7", 7), ("1.5", 1.5), ("-3", 0), ("nan", 0), ("soon", 0), ("1e9", 600)]
)
def test_a_rest_is_read_in_every_form(given: str | None, expected: float) -> None:
    assert seconds(given) == expected


def test_a_rest_until_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    assert 0 < seconds(in_a_minute) <= 60
    assert seconds(format_datetime(datetime.now(UTC) - timedelta(minutes=1), usegmt=True)) == 0
