"""The server as a client sees it: OpenAI's own client, unchanged, and the corners that only raw HTTP shows."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import pytest
import structlog
from PIL import Image

from engine.api import Health
from tests.engine.serving import serving
from tests.engine.tiny_letters import CARD, Letters

if TYPE_CHECKING:  # else imported by the tests that ask with it: it takes half a second
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionMessageParam

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


def client(url: str, key: str = "none") -> AsyncOpenAI:
    from openai import AsyncOpenAI

    return AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def picture(data: bytes | None = None) -> list[ChatCompletionMessageParam]:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    url = "data:image/png;base64," + base64.b64encode(data if data is not None else buffer.getvalue()).decode()
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What?"}]}]


async def test_a_whole_answer() -> None:
    async with serving() as url, client(url) as api:
        whole = await api.chat.completions.create(model="letters", messages=HI)
        assert len(whole.choices[0].message.content or "") == 20
        assert (whole.choices[0].finish_reason, whole.model, whole.id[:9]) == ("length", "letters", "chatcmpl-")
        assert whole.usage is not None
        assert whole.usage.total_tokens == 22


async def test_a_streamed_answer_is_the_same_with_usage_at_the_end() -> None:
    async with serving() as url, client(url) as api:
        whole = await api.chat.completions.create(model="letters", messages=picture())
        stream = await api.chat.completions.create(model="letters", messages=picture(), stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage == whole.usage


async def test_log_probabilities_whole_and_streamed() -> None:
    async with serving() as url, client(url) as api:
        whole = await api.chat.completions.create(model="letters", messages=HI, logprobs=True, top_logprobs=3)
        stream = await api.chat.completions.create(model="letters", messages=HI, logprobs=True, top_logprobs=3, stream=True)
        streamed = [chunk.choices[0].logprobs async for chunk in stream]
    assert whole.choices[0].logprobs is not None
    tokens = whole.choices[0].logprobs.content or []
    assert "".join(token.token for token in tokens) == whole.choices[0].message.content
    assert [token for found in streamed if found for token in found.content or []] == tokens
    for token in tokens:
        assert [top.logprob for top in token.top_logprobs] == sorted((top.logprob for top in token.top_logprobs), reverse=True)
        assert (token.logprob, token.bytes) == (token.top_logprobs[0].logprob, list(token.token.encode()))


async def test_models() -> None:
    import openai

    async with serving() as url, client(url) as api:
        assert [model.id async for model in api.models.list()] == ["letters"]
        assert (await api.models.retrieve("letters")).id == "letters"
        with pytest.raises(openai.NotFoundError):
            await api.models.retrieve("gpt")


async def test_adapters_are_models_beside_the_base() -> None:
    import openai

    async with serving(adapters=("emblems",)) as url, client(url) as api:
        assert [(model.id, (model.model_extra or {}).get("parent")) async for model in api.models.list()] == [
            ("letters", None),
            ("letters:emblems", "letters"),
        ]
        assert (await api.models.retrieve("letters:emblems")).id == "letters:emblems"
        assert (await api.chat.completions.create(model="letters:emblems", messages=HI)).model == "letters:emblems"
        stream = await api.chat.completions.create(model="letters", messages=HI, stream=True, extra_body={"adapter": "emblems"})
        assert {chunk.model async for chunk in stream} == {"letters:emblems"}
        with pytest.raises(openai.NotFoundError, match="serves 'letters', 'letters:emblems', not 'letters:other'"):
            await api.chat.completions.create(model="letters:other", messages=HI)


async def test_errors_arrive_as_the_client_s_own_classes() -> None:
    import openai

    async with serving() as url, client(url) as api:
        with pytest.raises(openai.BadRequestError) as caught:
            await api.chat.completions.create(model="letters", messages=HI, temperature=3)
        assert caught.value.param == "temperature"
        with pytest.raises(openai.BadRequestError, match="not a picture") as caught:
            await api.chat.completions.create(model="letters", messages=picture(b"no picture at all"), stream=True)
        assert (caught.value.param, caught.value.code) == ("messages[0].content[0].image_url.url", "invalid_image")
        with pytest.raises(openai.BadRequestError, match="64 tokens"):
            await api.chat.completions.create(model="letters", messages=[{"role": "user", "content": "too long"}], stream=True)
        with pytest.raises(openai.NotFoundError, match="serves 'letters'"):
            await api.chat.completions.create(model="gpt", messages=HI)


async def test_overload_says_when_to_come_again() -> None:
    import openai

    letters = Letters()
    letters.going.clear()
    async with serving(letters.load, capacity=1) as url, client(url) as api:
        first = asyncio.create_task(api.chat.completions.create(model="letters", messages=HI))
        assert await asyncio.to_thread(letters.running.wait, 90)
        with pytest.raises(openai.RateLimitError) as caught:
            await api.chat.completions.create(model="letters", messages=HI)
        assert int(caught.value.response.headers["Retry-After"]) > 0
        letters.going.set()
        assert len((await first).choices[0].message.content or "") == 20


async def test_a_dead_worker_is_a_503_and_the_next_request_is_answered() -> None:
    import openai

    async with serving() as url, client(url) as api:
        with pytest.raises(openai.InternalServerError) as caught:
            await api.chat.completions.create(model="letters", messages=[{"role": "user", "content": "poison"}])
        assert (caught.value.status_code, "Retry-After" in caught.value.response.headers) == (503, True)
        assert (await api.chat.completions.create(model="letters", messages=HI)).choices


async def test_a_client_that_leaves_frees_the_device() -> None:
    letters = Letters(pause_seconds=0.01)
    async with serving(letters.load) as url, client(url) as api:
        for stream in (True, False):
            letters.running.clear()
            asked = asyncio.create_task(read_some(api, stream=stream))
            await asyncio.to_thread(letters.running.wait)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            assert len((await api.chat.completions.create(model="letters", messages=HI, max_tokens=1)).choices) == 1
    assert letters.steps < 200  # of 2 × 5000


async def test_a_client_that_stops_reading_gives_up_its_place() -> None:
    wish = {"messages": HI, "stream": True, "max_tokens": 1_000_000, "logprobs": True, "top_logprobs": 20}  # fills the buffers soon
    body = json.dumps(wish).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with structlog.testing.capture_logs() as lines:
        async with serving(capacity=1, stall_seconds=0.1) as url, client(url) as api:
            _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1)
            writer.write(head.encode() + body)
            while not any(line["event"] == "client stopped reading" for line in lines):  # noqa: ASYNC110  # the server decides
                await asyncio.sleep(0.05)
            assert (await api.chat.completions.create(model="letters", messages=HI)).choices
            writer.close()


async def read_some(api: AsyncOpenAI, *, stream: bool) -> None:
    if stream:
        async for _ in await api.chat.completions.create(model="letters", messages=HI, max_tokens=5000, stream=True):
            pass
    else:
        await api.chat.completions.create(model="letters", messages=HI, max_tokens=5000)


async def test_health_tells_what_is_served() -> None:
    async with serving() as url, client(url) as api, aiohttp.ClientSession() as http:
        await api.chat.completions.create(model="letters", messages=HI)
        health = await (await http.get(f"{url}/health")).json()
    assert (health["status"], health["model"], health["device"], health["rows"]) == ("ready", "letters", "cpu", 1)
    assert (health["context_length"], health["defaults"]["max_tokens"]) == (CARD.context_length, 20)


async def test_a_body_that_is_not_compressed_as_it_says_is_the_caller_s_fault() -> None:
    async with serving() as url, aiohttp.ClientSession() as http:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        response = await http.post(f"{url}/v1/chat/completions", data=BytesIO(b"{}"), headers=headers)
        assert response.status == 400
        assert "The body can't be read" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_body_that_grows_is_refused_once_it_is_too_large(
    coding: str, compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.server.app.BODY_LIMIT_BYTES", 1 << 20)
    bomb, headers = compress(bytes(1 << 26)), {"Content-Type": "application/json", "Content-Encoding": coding}
    tracemalloc.start()
    try:
        async with serving() as url, aiohttp.ClientSession() as http:
            response = await http.post(f"{url}/v1/chat/completions", data=BytesIO(bomb), headers=headers)
            assert response.status == 413
        assert tracemalloc.get_traced_memory()[1] < 1 << 24  # bytes; whole it takes four times that
    finally:
        tracemalloc.stop()


async def test_a_fallback_says_what_it_is_and_lacks() -> None:
    card = CARD.model_copy(update={"architecture": "fallback", "version": "gemma3"})
    async with serving(card=card) as url, aiohttp.ClientSession() as session, session.get(f"{url}/health") as response:
        health = Health.model_validate_json(await response.read())
    assert (health.fallback, health.lacks) == ("gemma3", ("beam_tree",))
