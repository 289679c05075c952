"""An engine for crash and load tests: the real wire at a set speed, and answers that tell what it was shown.

`python -m tests.end_to_end.stand_in_engine PORT [ROWS [SECONDS_PER_WORD]]`; it says the port that it took (0: a free one).
To the n-th question of a branch it answers "Answer n to …", so that an answer made out of order, or without the ones
before it, shows.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress

from aiohttp import web

from engine.api import ChatRequest, Chunk, ChunkChoice, Delta, Health, Usage

ROWS, SECONDS_PER_WORD = 8, 0.02
SIZE, PACE = web.AppKey("rows", int), web.AppKey("seconds a word", float)


def answer(request: ChatRequest) -> str:
    answers = sum(message.role == "assistant" for message in request.messages)
    content = request.messages[-1].content
    question = content if isinstance(content, str) else " ".join(part.text for part in content if part.type == "text")
    return f"Answer {answers + 1} to {question} with a few words more that make it take a little while"


def events(text: str) -> Iterator[Chunk]:
    for word in text.split(" "):
        yield _chunk(ChunkChoice(delta=Delta(content=f"{word} ")))
    ended = _chunk(ChunkChoice(finish_reason="stop"))
    words = text.count(" ") + 1
    yield ended.model_copy(update={"usage": Usage(prompt_tokens=1, completion_tokens=words, total_tokens=words + 1)})


async def complete(request: web.Request) -> web.StreamResponse:
    asked = ChatRequest.model_validate_json(await request.read())
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with suppress(ConnectionResetError):  # the bot was killed
        for chunk in events(answer(asked)):
            await response.write(f"data: {chunk.model_dump_json()}\n\n".encode())
            await asyncio.sleep(request.app[PACE])
        await response.write(b"data: [DONE]\n\n")
    return response


async def health(request: web.Request) -> web.Response:
    state = Health(status="ready", model="stand-in", device="none", memory_bytes=0, rows=request.app[SIZE])
    return web.Response(text=state.model_dump_json(), content_type="application/json")


async def main(port: int, rows: int = ROWS, pace: float = SECONDS_PER_WORD) -> None:
    application = web.Application(client_max_size=64_000_000)
    application[SIZE], application[PACE] = rows, pace
    application.add_routes([web.post("/v1/chat/completions", complete), web.get("/health", health)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _chunk(choice: ChunkChoice) -> Chunk:
    return Chunk(id="c", created=0, model="stand-in", choices=(choice,))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *(int(each) for each in sys.argv[2:3]), *(float(each) for each in sys.argv[3:4])))
