"""An engine's wire without an engine: whatever words it is given, streamed at a set speed, from a process of its own.

`python -m adapters.bench.stand_in_engine ROWS SECONDS_PER_WORD WORDS` answers with times: when the question was here whole, and
when the first words left. It says the port that it took.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from time import monotonic

from aiohttp import web

from engine.api import ChatRequest, Chunk, ChunkChoice, Delta, Health, Usage

Words = Callable[[ChatRequest], Iterator[str]]  # each is drawn when it is its turn to be sent


async def serve(words: Words, port: int, rows: int, pace: float) -> None:
    """Until cancelled. `port` 0: a free one; `pace`: seconds between two words of an answer."""

    async def complete(request: web.Request) -> web.StreamResponse:
        asked = ChatRequest.model_validate_json(await request.read())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        answer = words(asked)
        await response.prepare(request)
        with suppress(ConnectionResetError):  # the bot was killed
            async for event in streamed(answer, pace):
                await response.write(event)
        return response

    async def health(request: web.Request) -> web.Response:
        state = Health(status="ready", model="stand-in", device="none", memory_bytes=0, rows=rows)
        return web.Response(text=state.model_dump_json(), content_type="application/json")

    application = web.Application(client_max_size=64_000_000)
    application.add_routes([web.post("/v1/chat/completions", complete), web.get("/health", health)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


async def streamed(answer: Iterator[str], pace: float) -> AsyncIterator[bytes]:
    """The events of an answer, its words so many seconds apart."""
    count = 0
    for count, word in enumerate(answer, start=1):  # noqa: B007 - how many there were
        yield _said(word)
        await asyncio.sleep(pace)
    ended = _chunk(ChunkChoice(finish_reason="stop"))
    usage = Usage(prompt_tokens=1, completion_tokens=count, total_tokens=count + 1)
    yield _event(ended.model_copy(update={"usage": usage})) + b"data: [DONE]\n\n"


def times(length: int) -> Words:
    """Answers of `length` words of which the first tells two times of the steady clock, which all processes share."""

    def words(request: ChatRequest) -> Iterator[str]:
        received = monotonic()
        return (f"{received!r}:{monotonic()!r}" if number == 0 else "word" for number in range(length))

    return words


@lru_cache(maxsize=1_000)
def _said(word: str) -> bytes:
    return _event(_chunk(ChunkChoice(delta=Delta(content=f"{word} "))))


def _chunk(choice: ChunkChoice) -> Chunk:
    return Chunk(id="c", created=0, model="stand-in", choices=(choice,))


def _event(chunk: Chunk) -> bytes:
    return f"data: {chunk.model_dump_json()}\n\n".encode()


if __name__ == "__main__":
    asyncio.run(serve(times(int(sys.argv[3])), 0, int(sys.argv[1]), float(sys.argv[2])))
