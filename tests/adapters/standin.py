"""A server that speaks OpenAI's protocol and nothing of ours, on loopback: what a stranger's engine looks like."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.bot.other_servers import listening

OPENAI_FIELDS = frozenset(
    {"model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "n"}
    | {"prompt_cache_key", "logprobs", "top_logprobs"}
)


@dataclass
class StandIn:
    """Answers every question with `words`, one chunk each, `pause` seconds apart. `strict`: refuses fields that OpenAI lacks."""

    words: Sequence[str] = ("One ", "goose.")
    pause: float = 0.0
    strict: bool = False
    extra: dict[str, Any] = field(default_factory=dict)  # path → what it answers there, to look like another server
    requests: list[dict[str, Any]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=50_000_000)
        app.add_routes([web.get("/v1/models", self._models), web.post("/v1/chat/completions", self._complete)])
        app.add_routes([web.get(path, self._other) for path in self.extra])
        async with listening(app, handler_cancellation=True) as url:
            yield url

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "stand-in", "object": "model", "created": 0, "owned_by": "tests"}]})

    async def _other(self, request: web.Request) -> web.Response:
        return web.json_response(self.extra[request.path])

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.asked.set()
        if self.strict and (unknown := set(body) - OPENAI_FIELDS):
            fault = {"message": f"Unrecognized request argument supplied: {min(unknown)}", "type": "invalid_request_error"}
            return web.json_response({"error": fault}, status=400)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in self.words:
            await asyncio.sleep(self.pause)
            await response.write(_event({"delta": {"content": word}}))
        await response.write(_event({"delta": {}, "finish_reason": "stop"}) + b"data: [DONE]\n\n")
        return response


def _event(choice: dict[str, Any]) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "stand-in", "choices": [{"index": 0, **choice}]}
    return f"data: {json.dumps(chunk)}\n\n".encode()
