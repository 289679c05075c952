"""The only place that speaks to an engine: OpenAI's chat completions over HTTP, ours or anyone's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError

from bot.errors import AnswerLost, BotError, EngineRefused, EngineUnavailable
from bot.foreign import FOREIGN_ROWS, KINDS, OURS, Foreign, choose
from engine.api import ChatRequest, Chunk, ErrorBody, ErrorDetail, Health, ModelList, StreamOptions

CONNECT_SECONDS: Final = 10.0
HEALTH_SECONDS: Final = 10.0  # for one look: an engine that hangs must not seem ready for long
SILENCE_SECONDS: Final = 120.0  # Gander's engine shows life every 5 s; other servers are silent until the first token
LONGEST_REST: Final = 60.0  # that an engine is given because it asked for one
LINE_BYTES: Final = 1 << 20


class EngineClient:
    """One engine at `url` (with or without `/v1`). The session is the caller's, who closes it.

    Errors: EngineUnavailable (try later), EngineRefused (don't try again), AnswerLost (broke off midway).
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, key: str | None = None, *, model: str = "", silence_seconds: float = SILENCE_SECONDS
    ) -> None:
        self._session = session
        self._model = model  # to ask a server for that has several and isn't Gander's
        self._foreign: Foreign | None = None
        address = url.rstrip("/").removesuffix("/v1")
        self._url = without_credentials(address) if key else address
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)

    @property
    def name(self) -> str:
        """Its address, without credentials."""
        return without_credentials(self._url)

    async def health(self) -> Health:
        """What the engine says of itself; of a server that isn't Gander's, as much as can be found out."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                return await self._look()
        except TimeoutError:
            raise EngineUnavailable(f"{self.name} does not say how it is.") from None

    async def _look(self) -> Health:
        async with self._request("GET", "/health") as response:
            try:
                health = Health.model_validate_json(await response.read())
            except ValidationError:
                pass  # not Gander's own
            else:
                self._foreign = None
                return health
        models = [model.id for model in (await self.models()).data]
        if not models:
            raise EngineUnavailable(f"{self.name} serves no model.")
        lacks = self._foreign.lacks if self._foreign else await self._lacks()
        self._foreign = Foreign(choose(models, self._model), lacks)
        return Health(status="ready", model=self._foreign.model, device="", memory_bytes=0, rows=FOREIGN_ROWS, lacks=tuple(sorted(lacks)))

    async def _lacks(self) -> frozenset[str]:
        """The fields of ours that this server does not take, by what kind of server it is."""
        for kind in KINDS:
            async with self._request("GET", kind.path) as response:
                if response.status == 200 and response.content_type == "application/json":
                    return OURS - kind.takes
        return OURS

    async def models(self) -> ModelList:
        async with self._request("GET", "/v1/models") as response:
            body = await response.read()
            if response.status != 200:
                raise self._error(response, body)
        try:
            return ModelList.model_validate_json(body)
        except ValidationError:
            raise EngineRefused(f"What answers at {self.name} is no OpenAI-compatible server.") from None

    async def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        """The answer's chunks, the last with usage. Closing the generator cancels the answer on the engine.

        `request_id` stands in the engine's log.
        """
        wish = request.model_copy(update={"stream": True, "stream_options": StreamOptions(include_usage=True)})
        if self._foreign is not None:
            wish = self._foreign.adapt(wish)
        body = wish.model_dump_json(exclude_none=True, include=set(wish.model_fields_set)).encode()
        headers = {"Content-Type": "application/json"} | ({"X-Request-Id": request_id} if request_id else {})
        async with self._request("POST", "/v1/chat/completions", body, headers) as response:
            if response.status != 200:
                raise self._error(response, await response.read())
            finished = False
            async for chunk in self._chunks(response):
                finished = finished or any(choice.finish_reason for choice in chunk.choices)
                yield chunk
            if not finished:
                raise AnswerLost(f"{self.name} ended the answer midway.")

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[Chunk]:
        """Server-sent events, one `data:` line each; comments and empty lines between them are skipped."""
        try:
            async for line in response.content:
                data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                if data == b"[DONE]":
                    return
                if data:
                    yield self._chunk(data)
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError) as error:
            raise AnswerLost(f"{self.name} broke off the answer ({type(error).__name__}).") from error

    def _chunk(self, data: bytes) -> Chunk:
        try:
            return Chunk.model_validate_json(data)
        except ValidationError:
            pass
        detail = error_detail(data)
        if detail is None:
            raise AnswerLost(f"{self.name} sent something that is no chunk of an answer.")
        if detail.type == "invalid_request_error":
            raise refusal(detail)
        raise AnswerLost(detail.message)

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method,
                self._url + path,
                data=BytesIO(body) if body is not None else None,
                headers=self._headers | (headers or {}),
                timeout=self._timeout,
                read_bufsize=LINE_BYTES,
            ) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise EngineUnavailable(f"No engine answers at {self.name} ({type(error).__name__}).") from error

    def _error(self, response: aiohttp.ClientResponse, body: bytes) -> BotError:
        detail = error_detail(body)
        message = detail.message if detail else f"{self.name} answered {response.status} {response.reason}."
        if response.status in {429, 502, 503, 504}:
            return EngineUnavailable(message, seconds(response.headers.get("Retry-After")))
        if response.status >= 500:
            return AnswerLost(message)
        # Said to whoever asked, who need not know the address.
        return refusal(detail) if detail else EngineRefused(f"The engine answered {response.status} {response.reason}.")


def without_credentials(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def refusal(detail: ErrorDetail) -> EngineRefused:
    """OpenAI and Gander say by the code that a conversation is too long, llama.cpp by the type, vLLM in words."""
    named = "context_length_exceeded" in (detail.code or "") or detail.type == "exceed_context_size_error"
    return EngineRefused(detail.message, detail.param, too_long=named or "maximum context length" in detail.message)


def error_detail(body: bytes) -> ErrorDetail | None:
    """OpenAI's error, if `body` is one."""
    try:
        return ErrorBody.model_validate_json(body).error
    except ValidationError:
        return None


def seconds(retry_after: str | None) -> float:
    """0 where it is not said, or as a date."""
    return min(float(retry_after), LONGEST_REST) if retry_after and retry_after.isdecimal() else 0.0
