"""The cluster's HTTP: the engine's own wire, spoken by whichever node a client reaches; answers come from replicas. Runs on Starlette.

What can be said is said by the engine's server's own modules (formats, refusals, framing); here are only its routes in ASGI.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from engine.api import BOT_HEADER, WAITING_HEADER, ChatRequest, ErrorBody, ErrorDetail, Health, ModelEntry, ModelList, Wire
from engine.cluster.affinity import affinity_key
from engine.cluster.bodies import QUESTION_BYTES, SMALL_BYTES, Answering, asking_nothing, json_body
from engine.cluster.metrics import EntranceMetrics
from engine.cluster.outlook import combined
from engine.cluster.resume import Batch, resumed
from engine.errors import AuthenticationError, EngineError, NotReadyError, RequestError, UnknownModelError
from engine.metrics import MEDIA_TYPE
from engine.request import Event
from engine.server.answer_format import AnswerFormat
from engine.server.chat_format import ChatFormat
from engine.server.completions_format import CompletionsFormat
from engine.server.explain_format import ExplainFormat
from engine.server.refusals import refusal
from engine.server.requests import parse_forget, quoted
from engine.server.responses_format import ResponsesFormat
from engine.server.sse import HEARTBEAT

LOOK_SECONDS: Final = 1.0  # that a look at the replicas serves everybody who asks
HEARTBEAT_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 90.0  # for the first word from a replica: it shows life every five seconds
FORMATS: Final[dict[str, Callable[[bytes], AnswerFormat]]] = {
    "/v1/chat/completions": ChatFormat,
    "/v1/responses": ResponsesFormat,
    "/v1/completions": CompletionsFormat,
    "/v1/explain": ExplainFormat,
}
SOUND_ID: Final = re.compile(r"[\w.:-]{1,128}", re.ASCII)
MOST_WAITING: Final = 1_000_000

log = structlog.get_logger()


class Replicas(Protocol):
    """The replicas, wherever they run."""

    def ask(self, request: ChatRequest, key: str) -> AsyncGenerator[Batch]:
        """One answer, from the replica that the affinity key chooses. Raises ReplicaLost, and NotReadyError where none has room."""
        ...

    async def look(self, bot: str, waiting: int) -> Sequence[Health]:
        """How each is; tells each how many questions wait at this bot."""
        ...

    async def forget(self, pictures: Sequence[str]) -> None:
        """Lets each keep nothing of these pictures (sha256), nor of any prompt. Raises NotReadyError unless all of them said that."""
        ...


@dataclass
class Entrance:
    """Answers HTTP for a cluster that serves `model`."""

    model: str
    replicas: Replicas
    key: str | None = None
    created: int = field(default_factory=lambda: int(time.time()))
    metrics: EntranceMetrics = field(default_factory=EntranceMetrics)
    _looked: tuple[float, Health] | None = None

    def application(self) -> Starlette:
        routes = [Route(path, self._answering(reads), methods=["POST"]) for path, reads in FORMATS.items()]
        routes.append(Route("/v1/forget", self._guarded(self._forget), methods=["POST"]))
        routes.append(Route("/v1/models", self._guarded(asking_nothing(self._models))))
        routes.append(Route("/v1/models/{name:path}", self._guarded(asking_nothing(self._model))))
        routes.append(Route("/health", asking_nothing(self._health)))
        routes.append(Route("/metrics", self._guarded(asking_nothing(self._metrics))))
        return Starlette(routes=routes, exception_handlers={EngineError: on_engine_error, HTTPException: on_http_error})

    def _answering(self, reads: Callable[[bytes], AnswerFormat]) -> Answering:
        async def answer(http: Request) -> Response:
            body = await json_body(http, QUESTION_BYTES)
            asked = await asyncio.to_thread(reads, body)
            return await self._answered(http, asked)

        return self._guarded(answer)

    async def _answered(self, http: Request, asked: AnswerFormat) -> Response:
        request = asked.request
        if request.model and request.model != self.model:
            raise UnknownModelError(f"This cluster serves {self.model!r}, not {quoted(request.model)}.", "model")
        key = await asyncio.to_thread(affinity_key, request)
        limit = int((await self._seen()).defaults.get("max_tokens", 1 << 20))
        answered = resumed(lambda rest: self.replicas.ask(rest, key), request, limit, self.metrics.replica_lost)
        events = self.metrics.counting(answered)
        try:
            if not request.stream:
                async with aclosing(events), aclosing(while_listening(http, events)) as heard:
                    whole = [event async for event in heard if event is not None]
                return Response(asked.completion(self.model, whole), media_type="application/json", headers=said_id(http))
            first = await first_of(events)
        except RequestError as error:
            error.param = error.param and asked.client_field(error.param)
            raise
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", **said_id(http)}
        return StreamingResponse(streamed(asked, self.model, first, events), media_type="text/event-stream", headers=headers)

    def _guarded(self, handler: Answering) -> Answering:
        async def guarded(http: Request) -> Response:
            if self.key is not None and not has_key(http.headers.get("authorization", ""), self.key):
                raise AuthenticationError("The key is missing or wrong: send `Authorization: Bearer KEY`.")
            return await handler(http)

        return guarded

    async def _forget(self, http: Request) -> Response:
        await self.replicas.forget(parse_forget(await json_body(http, SMALL_BYTES)).pictures)
        return Response(status_code=204)

    async def _models(self, http: Request) -> Response:
        return as_json(ModelList(data=(self._entry(),)))

    async def _model(self, http: Request) -> Response:
        if http.path_params["name"] != self.model:
            raise UnknownModelError(f"This cluster serves {self.model!r}, not {quoted(http.path_params['name'])}.", "model")
        return as_json(self._entry())

    def _entry(self) -> ModelEntry:
        return ModelEntry(id=self.model, created=self.created)

    async def _health(self, http: Request) -> Response:
        """Who has the key may say how much waits, since that starts machines."""
        trusted = self.key is None or has_key(http.headers.get("authorization", ""), self.key)
        waiting = waiting_of(http.headers.get(WAITING_HEADER, "")) if trusted else 0
        health = await self._seen(http.headers.get(BOT_HEADER, ""), waiting) if waiting else await self._seen()
        return as_json(health, 200 if health.status == "ready" else 503)

    async def _metrics(self, http: Request) -> Response:
        await self._seen()
        return Response(self.metrics.exposition(), media_type=MEDIA_TYPE)

    async def _seen(self, bot: str = "", waiting: int | None = None) -> Health:
        """How the replicas are, at most LOOK_SECONDS ago."""
        now = time.monotonic()
        if self._looked is None or waiting is not None or now - self._looked[0] > LOOK_SECONDS:
            replicas = await self.replicas.look(bot[:64], waiting or 0)
            self.metrics.seen(replicas)
            self._looked = now, combined(self.model, replicas)
        return self._looked[1]


async def first_of(events: AsyncGenerator[Event | None]) -> Event | None:
    """The first event: an error before it has a status of its own. Raises EngineError."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(events)
    except TimeoutError:
        await events.aclose()
        raise NotReadyError("No replica has room for this question yet.", retry_after=10) from None


async def streamed(asked: AnswerFormat, model: str, first: Event | None, events: AsyncGenerator[Event | None]) -> AsyncIterator[bytes]:
    """Server-sent events; the frames of what came at once leave at once."""
    frames = asked.frames(model)
    try:
        async with aclosing(events):
            yield b"".join(frames(first)) if first is not None else HEARTBEAT
            async for event in events:
                yield b"".join(frames(event)) if event is not None else HEARTBEAT
            yield asked.end_frame
    except EngineError as error:
        yield asked.error_frame(error)


async def while_listening(http: Request, events: AsyncGenerator[Event | None]) -> AsyncGenerator[Event | None]:
    """The events for as long as somebody waits for them: the replica stops when its asker has gone."""
    async for event in events:
        if event is None and await http.is_disconnected():
            raise ClientDisconnect
        yield event


def has_key(authorization: str, key: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(errors="surrogateescape"), key.encode())


def waiting_of(header: str) -> int:
    with suppress(ValueError):
        return min(max(int(header[:9]), 0), MOST_WAITING)
    return 0


def said_id(http: Request) -> dict[str, str]:
    given = http.headers.get("x-request-id", "")
    return {"X-Request-Id": given if SOUND_ID.fullmatch(given) else uuid.uuid4().hex}


async def on_engine_error(http: Request, error: Exception) -> Response:
    said = refusal(error if isinstance(error, EngineError) else EngineError(str(error)))
    headers = said_id(http) | ({} if said.retry_after is None else {"Retry-After": str(said.retry_after)})
    return Response(said.body.model_dump_json(), said.status, headers, "application/json")


async def on_http_error(http: Request, error: Exception) -> Response:
    status, message = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "The server failed.")
    body = ErrorBody(error=ErrorDetail(message=message, type="invalid_request_error" if status < 500 else "server_error"))
    return Response(body.model_dump_json(), status, said_id(http), "application/json")


def as_json(body: Wire, status: int = 200) -> Response:
    return Response(json.dumps(body.model_dump(mode="json")), status, media_type="application/json")
