"""The HTTP shell: aiohttp's routes around `wire`, `chunks` and `worker`, and nothing decided here. `Server.routes` is their table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog
from aiohttp import ClientConnectionResetError, hdrs, web

from engine.api import ChatRequest, Completion, ForgetRequest, ModelEntry, ModelList
from engine.connections import Bounds
from engine.core.worker import Worker
from engine.errors import EngineError, NotReadyError, RequestError, UnknownModelError
from engine.explanation import ExplainRequest
from engine.http_routes import DOCUMENT, JSON, TEXT, Route, document
from engine.images.decode import MEBI, Limits
from engine.images.decoded_cache import DecodedCache
from engine.metrics import MEDIA_TYPE, Metrics
from engine.models.card import Card
from engine.request import Event, Request
from engine.server.answer_format import AnswerFormat
from engine.server.bodies import json_body, with_bounded_bodies
from engine.server.chat_format import ChatFormat
from engine.server.completions_format import CompletionsFormat
from engine.server.described import COMPLETIONS, DESCRIBED, EXPLAINED, HEALTH, RESPONSES, answer
from engine.server.explain_format import ExplainFormat
from engine.server.health import health_of
from engine.server.middleware import json_response, say_request_id, with_error_form, with_key, with_request_id
from engine.server.requests import engine_request, listed, parse_forget, quoted, served_as
from engine.server.responses_format import ResponsesFormat
from engine.server.sse import HEARTBEAT

BODY_LIMIT_BYTES = 64 * MEBI
QUESTIONS = frozenset({"/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/explain"})  # whose bodies hold pictures
STALL_SECONDS = 60.0  # that a client may leave its answer unread before its request is aborted
READERS = 2  # threads that read requests: a huge picture takes a gigabyte while it is decoded

log = structlog.get_logger()

Events = AsyncGenerator[Event | None]


@dataclass(frozen=True)
class Server:
    """One model behind HTTP. The worker runs in a task of whoever made it."""

    card: Card
    worker: Worker
    adapters: tuple[str, ...] = ()  # names of the LoRA adapters that requests may ask for
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics = field(default_factory=Metrics)
    decoded_pictures: DecodedCache = field(default_factory=DecodedCache)
    created: int = field(default_factory=lambda: int(time.time()))
    stall_seconds: float = STALL_SECONDS
    bounds: Bounds = field(default_factory=Bounds)
    readers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(READERS, thread_name_prefix="reader"))

    def application(self, key: str | None) -> web.Application:
        bounded = with_bounded_bodies(QUESTIONS, self.bounds.body_seconds)
        app = web.Application(middlewares=[with_request_id, with_error_form, with_key(key), bounded], client_max_size=BODY_LIMIT_BYTES)
        app.on_response_prepare.append(say_request_id)
        app.on_cleanup.append(self._close)
        app.add_routes([route.definition() for route in self.routes()])
        return app

    def routes(self) -> tuple[Route, ...]:
        """Everything that is served, and what `/openapi.json` says of it."""
        return (
            Route("POST", "/v1/chat/completions", self.chat, "OpenAI's chat completions.", answer(Completion), {JSON: ChatRequest}),
            Route("POST", "/v1/responses", self.responses, "OpenAI's responses; nothing is stored.", answer(), {JSON: RESPONSES}),
            Route("POST", "/v1/completions", self.completions, "OpenAI's older completions.", answer(), {JSON: COMPLETIONS}),
            Route("POST", "/v1/explain", self.explain, "Ours: how an answer came about.", EXPLAINED, {JSON: ExplainRequest}),
            Route("POST", "/v1/forget", self.forget, "Ours: keep nothing of these pictures.", {204: {}}, {JSON: ForgetRequest}),
            Route("GET", "/v1/models", self.models, "The model that answers and its adapters, in a list.", {200: {JSON: ModelList}}),
            Route("GET", "/v1/models/{name:.+}", self.model, "The model of this name.", {200: {JSON: ModelEntry}}),
            Route("GET", "/health", self.health, "Whether it answers, and with what.", HEALTH, known=False),
            Route("GET", "/metrics", self.metrics_text, "What is counted, for Prometheus.", {200: {"text/plain": TEXT}}),
            Route("GET", DOCUMENT, self.openapi, "This document."),
        )

    async def openapi(self, http: web.Request) -> web.Response:
        return web.json_response(document(DESCRIBED, self.routes()))

    async def chat(self, http: web.Request) -> web.StreamResponse:
        return await self._answer(http, ChatFormat)

    async def responses(self, http: web.Request) -> web.StreamResponse:
        return await self._answer(http, ResponsesFormat)

    async def completions(self, http: web.Request) -> web.StreamResponse:
        return await self._answer(http, CompletionsFormat)

    async def explain(self, http: web.Request) -> web.StreamResponse:
        return await self._answer(http, ExplainFormat)

    async def _answer(self, http: web.Request, reads: Callable[[bytes], AnswerFormat]) -> web.StreamResponse:
        body = await json_body(http, self.bounds.body_seconds)
        answer_format, request = await asyncio.get_running_loop().run_in_executor(self.readers, self._read, body, reads)
        try:
            async with aclosing(self.worker.stream(request)) as events:
                if answer_format.request.stream:
                    return await self._streamed(http, answer_format, self._name(request), events)
                whole = answer_format.completion(self._name(request), [event async for event in events if event is not None])
                return web.Response(body=whole, content_type="application/json")
        except RequestError as error:
            raise with_client_field(error, answer_format) from None

    async def _close(self, app: web.Application) -> None:
        self.readers.shutdown(wait=False, cancel_futures=True)

    def _read(self, body: bytes, reads: Callable[[bytes], AnswerFormat]) -> tuple[AnswerFormat, Request]:
        answer_format = reads(body)
        try:
            return answer_format, self.worker.prepare(
                engine_request(answer_format.request, self.card, self.limits, self.decoded_pictures.read, self.adapters)
            )
        except RequestError as error:
            raise with_client_field(error, answer_format) from None

    async def _streamed(self, http: web.Request, answer_format: AnswerFormat, model: str, events: Events) -> web.StreamResponse:
        """Waits for the first event before it sends status 200, so that an error before any text has a status of its own."""
        first = await anext(events)
        response = web.StreamResponse(
            headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-cache", "X-Accel-Buffering": "no"}
        )
        await response.prepare(http)
        frames = answer_format.frames(model)
        try:
            await self._send(response, frames, first)
            async for event in events:
                await self._send(response, frames, event)
            await response.write(answer_format.end_frame)
        except EngineError as error:
            await response.write(answer_format.error_frame(error))
        except ClientConnectionResetError:
            log.info("client left")
        except TimeoutError:
            log.info("client stopped reading")
            if http.transport is not None:
                http.transport.abort()
        return response

    async def _send(self, response: web.StreamResponse, frames: Callable[[Event], Iterator[bytes]], event: Event | None) -> None:
        frames_now = [HEARTBEAT] if event is None else frames(event)
        async with asyncio.timeout(self.stall_seconds):
            for data in frames_now:
                await response.write(data)

    async def forget(self, http: web.Request) -> web.Response:
        """Status 204 when nothing is kept of these pictures any more, nor of any prompt; 503 where that can't be said now."""
        asked = parse_forget(await json_body(http, self.bounds.body_seconds))
        self.decoded_pictures.forget(asked.pictures)
        try:
            await self.worker.forget(asked.pictures)
        except OSError as error:
            log.error("pictures are not forgotten", error=str(error), remedy="see to the disk: whoever asked tries again")
            raise NotReadyError("A file can't be deleted; try again later.", retry_after=60) from None
        return web.Response(status=204)

    async def models(self, http: web.Request) -> web.Response:
        return json_response(ModelList(data=tuple(map(self._entry, self._served))))

    async def model(self, http: web.Request) -> web.Response:
        name = http.match_info["name"]
        if name not in self._served:
            raise UnknownModelError(f"This engine serves {listed(self._served)}, not {quoted(name)}.", "model")
        return json_response(self._entry(name))

    @property
    def _served(self) -> list[str]:
        """The model's name, then its adapters'."""
        return [served_as(self.card.name, adapter) for adapter in ("", *self.adapters)]

    def _name(self, request: Request) -> str:
        return served_as(self.card.name, request.adapter)

    def _entry(self, name: str) -> ModelEntry:
        return ModelEntry(id=name, created=self.created, parent=None if name == self.card.name else self.card.name)

    async def health(self, http: web.Request) -> web.Response:
        """Status 503 until answers can be given, for probes that look at nothing else; the body is the same."""
        health = health_of(self.card, self.worker, self.adapters)
        return json_response(health, 200 if health.status == "ready" else 503)

    async def metrics_text(self, http: web.Request) -> web.Response:
        return web.Response(body=self.metrics.exposition(), headers={hdrs.CONTENT_TYPE: MEDIA_TYPE})


def with_client_field(error: RequestError, answer_format: AnswerFormat) -> RequestError:
    """The same error, its field named as the client named it."""
    error.param = error.param and answer_format.client_field(error.param)
    return error
