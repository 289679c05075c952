"""Servers that answer as other projects' do, on loopback: each with the oddities of its wire, as its source or bug reports show them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
from aiohttp import web

from bot.engines.client import EngineClient
from engine.api import ChatRequest, Message
from tests.bot.rig import Rig, ScriptedEngine, running

Sent = dict[str, Any]
Refuse = Callable[[Sent], tuple[int, Mapping[str, Any]] | None]  # the status and the body, for requests that it does not take
END: Mapping[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}


def words(*texts: str) -> list[Mapping[str, Any]]:
    """An answer's events, as nearly every server sends them."""
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": None} for text in texts]
    return [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]} for choice in choices]


def ending(**choice: Any) -> Mapping[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{**END, **choice}]}


@asynccontextmanager
async def listening(app: web.Application, *, handler_cancellation: bool = False) -> AsyncIterator[str]:
    """The application's address on loopback, for as long as the block lasts."""
    runner = web.AppRunner(app, handler_cancellation=handler_cancellation, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class OtherServer:
    """What it lists, sends and refuses; `requests`: what it was asked."""

    models: Any = field(default_factory=lambda: {"object": "list", "data": [{"id": "m"}]})
    events: Sequence[Mapping[str, Any]] = (*words("One ", "goose."), ending())
    refuse: Refuse = lambda sent: None
    done: bool = True  # it closes an answer with [DONE]
    extra: Mapping[str, Any] = field(default_factory=dict)  # path → what it answers there
    models_status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)  # of refusals
    requests: list[Sent] = field(default_factory=list)
    looks: int = 0  # at its models

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=50_000_000)
        app.add_routes([web.get("/v1/models", self._models), web.post("/v1/chat/completions", self._complete)])
        app.add_routes([web.get(path, self._other) for path in self.extra])
        async with listening(app) as url:
            yield url

    async def _models(self, _: web.Request) -> web.Response:
        self.looks += 1
        if isinstance(self.models, str):
            return web.Response(text=self.models, status=self.models_status, content_type="text/html")
        return web.json_response(self.models, status=self.models_status)

    async def _other(self, request: web.Request) -> web.Response:
        return web.json_response(self.extra[request.path])

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        sent = await request.json()
        self.requests.append(sent)
        if refused := self.refuse(sent):
            return web.json_response(refused[1], status=refused[0], headers=self.headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in self.events:
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        if self.done:
            await response.write(b"data: [DONE]\n\n")
        return response


AZURE_FIRST = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [{"prompt_index": 0}]}
NO_IDS = [
    {"choices": [{"delta": {"role": "assistant", "content": None}}]},
    {"choices": [{"delta": {"content": "One goose."}}]},
    {"choices": [END]},
]
NULL_DELTA = [*words("One goose."), {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}], "usage": None}]
LM_STUDIO = {
    "data": [{"id": "text-embedding-nomic", "object": "model", "owned_by": "x"}, {"id": "qwen3-vl-4b", "object": "model"}],
    "object": "list",
}
OLLAMA = {"object": "list", "data": [{"id": "nomic-embed-text:latest"}, {"id": "llava:latest"}, {"id": "qwen3-vl:8b"}]}

VLLM_TOO_LONG = {
    "object": "error",
    "message": "This model's maximum context length is 4096 tokens.",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}
VLLM_TOO_LONG_NEWER = {
    "error": {"message": "The decoder prompt is longer than the maximum model length of 4096.", "type": "BadRequestError", "code": 400}
}
LLAMA_CPP_TOO_LONG = {
    "error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}
}
LM_STUDIO_TOO_LONG = {
    "error": "Trying to keep the first 5000 tokens when context the overflows. The prompt is greater than the context length of 4096"
}
OPENAI_TOO_LONG = {
    "error": {"message": "Too many.", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}
}
QUOTA = {
    "error": {"message": "You exceeded your current quota.", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}
}
WRONG_KEY = {
    "error": {"message": "Incorrect API key provided: sk-1234.", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
}


def newer_openai(sent: Sent) -> tuple[int, Mapping[str, Any]] | None:
    """OpenAI's reasoning models: the newer name of the limit, and no temperature but their own."""
    faults = {
        "max_tokens": ("unsupported_parameter", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        "temperature": ("unsupported_value", "Unsupported value: 'temperature' does not support 0.5 with this model."),
    }
    for name, (code, message) in faults.items():
        if name in sent:
            return 400, {"error": {"message": message, "type": "invalid_request_error", "param": name, "code": code}}
    return None


def too_long_over(messages: int, body: Mapping[str, Any], status: int = 400) -> Refuse:
    return lambda sent: (status, body) if len(sent["messages"]) > messages else None


QUESTION = ChatRequest(messages=(Message(role="user", content="What?"),), temperature=0.5, max_tokens=50)


@asynccontextmanager
async def client_of(server: OtherServer, model: str = "") -> AsyncIterator[EngineClient]:
    async with server.serving() as url, aiohttp.ClientSession() as session:
        yield EngineClient(session, url, "a-key", model=model)


async def answer_of(client: EngineClient) -> tuple[str, str | None]:
    """The words, and how it ended."""
    await client.health()
    choices = [choice async for chunk in client.stream(QUESTION) for choice in chunk.choices]
    return "".join(choice.delta.content or "" for choice in choices), next(
        (c.finish_reason for c in reversed(choices) if c.finish_reason), None
    )


@asynccontextmanager
async def bot_on(server: OtherServer, tmp_path: Path, model: str = "") -> AsyncIterator[Rig]:
    async with (
        client_of(server, model) as client,
        running(f"sqlite:///{tmp_path}/gander.db", tmp_path, cast(ScriptedEngine, client)) as rig,
    ):
        yield rig
