"""The only place that speaks to an engine: OpenAI's chat completions over HTTP, ours or anyone's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from math import isfinite
from secrets import token_hex
from typing import Any, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import ValidationError

from bot.engines.compatibility import OURS, PICTURES, SERVER_KINDS, OtherServer, choose, described, sees_nothing
from bot.engines.responses import chunk_of, error_of, models_of, too_long
from bot.errors import AnswerLost, BotError, EngineRefused, EngineUnavailable, Fault
from engine import tracing
from engine.api import BOT_HEADER, WAITING_HEADER, ChatRequest, Chunk, ChunkChoice, ErrorDetail, ForgetRequest, Health, StreamOptions
from engine.explanation import ExplainedAnswer, ExplainRequest

CONNECT_SECONDS: Final = 10.0
HEALTH_SECONDS: Final = 10.0  # for one health check: an engine that hangs must not seem ready for long
SILENCE_SECONDS: Final = 120.0  # Gander's engine shows life every 5 s; other servers are silent until the first token
LONGEST_REST: Final = 600.0  # that an engine is given because it asked for one
LINE_BYTES: Final = 1 << 20
MOST_EXPLANATION_BYTES: Final = 64 << 20  # each word's attention to 5,000 tokens of a picture that was looked at closely
MOST_BODY_BYTES: Final = 16 << 20  # of a reply that is not streamed: a server's fault must not fill our memory


class EngineClient:
    """One engine at `url` (with or without `/v1`). The caller closes the session.

    Errors: EngineUnavailable (try later), EngineRefused (don't try again), AnswerLost (broke off midway).
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        key: str | None = None,
        *,
        model: str = "",
        adapter: str = "",
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._session = session
        self._adapter = adapter  # the LoRA adapter to answer with, of an engine of Gander's
        self._model = model  # to ask a server for that has several and isn't Gander's
        self._other: OtherServer | None = None
        self._is_ours = False  # Gander's own, by its last health
        self._bot, self._waiting = token_hex(4), 0  # for a cluster of engines, which grows with what waits
        address = url.rstrip("/").removesuffix("/v1")
        self._url = without_credentials(address) if key else address
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)

    @property
    def name(self) -> str:
        """Its address, without credentials."""
        return without_credentials(self._url)

    def note_waiting(self, questions: int) -> None:
        """So many questions wait at this bot: the next look at the engine says so."""
        self._waiting = questions

    async def health(self) -> Health:
        """The engine's own `/health`; of a server that is not Gander's, what its list of models and its kind tell."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                return await self._look()
        except TimeoutError:
            raise EngineUnavailable(f"{self.name} does not say how it is.") from None

    async def _look(self) -> Health:
        told = {BOT_HEADER: self._bot, WAITING_HEADER: str(self._waiting)} if self._is_ours else None
        async with self._request("GET", "/health", headers=told) as response:
            try:
                health = Health.model_validate_json(await whole_body(response))
            except ValidationError:
                self._is_ours = False
            else:
                self._other, self._is_ours = None, True
                if self._model:
                    choose([health.model], self._model)
                return health
        models = await self.models()
        if not models:
            raise EngineUnavailable(f"{self.name} serves no model.")
        model = choose(models, self._model)
        if self._other is None or self._other.model != model:
            self._other = await self._meet(model)
        other, lacks = self._other, tuple(sorted(self._other.lacks))
        about = {"context_length": other.context_length, "lacks": lacks}
        return Health(status="ready", model=model, device="", memory_bytes=0, rows=other.rows, **about)

    async def _meet(self, model: str) -> OtherServer:
        """A server that is not Gander's: which kind it is, what of our requests it does not take, and what it says of its model."""
        for kind in SERVER_KINDS:
            if (told := await self._told("GET", kind.path)) is not None:
                shown = await self._told("POST", kind.shows, {"model": model}) if kind.shows else None
                return described(OtherServer(model, OURS - kind.takes), {**told, **(shown or {})})
        return OtherServer(model)

    async def _told(self, method: str, path: str, asked: Mapping[str, str] | None = None) -> Mapping[str, Any] | None:
        """The object that stands at a path; None: no such thing does."""
        body = json.dumps(asked).encode() if asked else None
        async with self._request(method, path, body, {"Content-Type": "application/json"} if asked else None) as response:
            if response.status != 200 or response.content_type != "application/json":
                return None
            try:
                told = json.loads(await whole_body(response))
            except ValueError:
                return {}
        return told if isinstance(told, dict) else {}

    async def models(self) -> tuple[str, ...]:
        """The names of the server's models, in its order. Raises EngineRefused where what answers is no such server."""
        async with self._request("GET", "/v1/models") as response:
            body = await whole_body(response)
            error = self._error(response, body) if response.status != 200 else None
        if error is not None and not (isinstance(error, EngineRefused) and error.fault is Fault.REQUEST):
            raise error
        models = models_of(body) if error is None else None
        if models is None:
            raise EngineRefused(f"What answers at {self.name} is no OpenAI-compatible server: check engine.url.", fault=Fault.SERVER)
        return models

    async def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        """The answer's chunks, the last with usage. Closing the generator cancels the answer on the engine.

        `request_id` stands in the engine's log.
        """
        if self._other is not None and self._other.sightless and shows_pictures(request):
            raise EngineRefused(f"The model of {self.name} sees no pictures.", fault=Fault.SIGHT)
        wish = request.model_copy(update={"stream": True, "stream_options": StreamOptions(include_usage=True)})
        if self._adapter and self._other is None:
            wish = wish.model_copy(update={"adapter": self._adapter})
        headers = {"Content-Type": "application/json"} | tracing.headers() | ({"X-Request-Id": request_id} if request_id else {})
        while True:  # again whenever a refusal said how to change the request
            asked = self._other.adapt(wish) if self._other is not None else wish
            body = asked.model_dump_json(exclude_none=True, include=set(asked.model_fields_set)).encode()
            async with self._request("POST", "/v1/chat/completions", body, headers) as response:
                if response.status == 200:
                    async for chunk in self._answer(response):
                        yield chunk
                    return
                said = await whole_body(response)
                if not self._learn(asked, said):
                    raise self._error(response, said)

    async def forget(self, sha256s: Sequence[str]) -> None:
        """See `Engine.forget`."""
        if self._other is not None:
            return
        body = ForgetRequest(pictures=tuple(sha256s)).model_dump_json().encode()
        async with self._request("POST", "/v1/forget", body, {"Content-Type": "application/json"}) as response:
            said = await whole_body(response)
            if response.status not in {204, 404, 405}:  # an older engine knows no such call
                raise self._error(response, said)

    async def explain(self, request: ExplainRequest) -> ExplainedAnswer:
        """How an answer came about. EngineRefused: this engine can't say, or not of this answer."""
        if self._other is not None:
            raise EngineRefused(f"{self.name} is not Gander's own engine and can't explain its answers.")
        body = request.model_dump_json(exclude_none=True, include=set(request.model_fields_set)).encode()
        async with self._request("POST", "/v1/explain", body, {"Content-Type": "application/json"}) as response:
            said = await whole_body(response, MOST_EXPLANATION_BYTES)
            if response.status != 200:
                raise self._error(response, said)
        try:
            return ExplainedAnswer.model_validate_json(said)
        except ValidationError:
            raise AnswerLost(f"{self.name} sent something that is no explanation.") from None

    def _learn(self, asked: ChatRequest, body: bytes) -> bool:
        """Whether the server's refusal says how to change the request; then the next one is changed so."""
        detail = error_of(body)
        if self._other and detail and sees_nothing(detail):
            self._other = replace(self._other, lacks=self._other.lacks | {PICTURES})
            return False
        learned = self._other.learn(asked, detail) if self._other and detail else None
        if learned is not None:
            self._other = learned
        return learned is not None

    async def _answer(self, response: aiohttp.ClientResponse) -> AsyncIterator[Chunk]:
        """The chunks of one answer. Raises AnswerLost where they end without a finish reason or [DONE]."""
        finished = done = False
        async for chunk in self._chunks(response):
            done = chunk is None
            if chunk is not None:
                finished = finished or any(choice.finish_reason for choice in chunk.choices)
                yield chunk
        if not (finished or done):
            raise AnswerLost(f"{self.name} ended the answer midway.")
        if not finished:
            yield Chunk(id="", created=0, model="", choices=(ChunkChoice(finish_reason="stop"),))

    async def _chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[Chunk | None]:
        """Server-sent events, one `data:` line each; comments and empty lines between them are skipped. None: [DONE].

        A server that can't stream sends one object.
        """
        try:
            if response.content_type == "application/json":
                yield self._chunk(await whole_body(response))
                return
            async for data in _events(response.content):
                if data == b"[DONE]":
                    yield None
                    return
                yield self._chunk(data)
        except (aiohttp.ClientError, HttpProcessingError, TimeoutError, OverflowError) as error:
            raise AnswerLost(f"{self.name} broke off the answer ({type(error).__name__}).") from error

    def _chunk(self, data: bytes) -> Chunk:
        read = chunk_of(data)
        if isinstance(read, Chunk):
            return read
        if read is None:
            raise AnswerLost(f"{self.name} sent something that is no chunk of an answer.")
        if read.type == "invalid_request_error" or too_long(read) or fault_of(read) is not Fault.REQUEST:
            raise refusal(read)
        raise AnswerLost(read.message)

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
        detail = error_of(body)
        message = detail.message if detail else f"{self.name} answered {response.status} {response.reason}."
        if response.status in {401, 403}:
            return EngineRefused(f"{self.name} does not take the key: {message} Set GANDER_ENGINE_KEY or engine.key_file.", fault=Fault.KEY)
        if detail is not None and fault_of(detail) is not Fault.REQUEST:
            return refusal(detail)
        if response.status in {429, 502, 503, 504}:
            return EngineUnavailable(message, seconds(response.headers.get("Retry-After")))
        if response.status >= 500 and not (detail and too_long(detail)):
            return AnswerLost(message)
        # People are shown this: it leaves out the address.
        return refusal(detail) if detail else EngineRefused(f"The engine answered {response.status} {response.reason}.")


async def whole_body(response: aiohttp.ClientResponse, most: int | None = None) -> bytes:
    """Raises ClientPayloadError for one that is longer than any that makes sense: than `most` bytes."""
    body, most = bytearray(), most or MOST_BODY_BYTES
    async for part in response.content.iter_any():
        body += part
        if len(body) > most:
            raise aiohttp.ClientPayloadError(f"it is longer than {most >> 20} MiB")
    return bytes(body)


async def _events(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """What stands behind `data:` in each line. Reads all that has come at once: a line by itself would take twice the time.

    Raises OverflowError for a line without an end.
    """
    rest = b""
    async for read in content.iter_any():
        *lines, rest = (rest + read).split(b"\n")
        for data in filter(None, map(_data, lines)):
            yield data
        if len(rest) > LINE_BYTES:
            raise OverflowError("a line has no end")
    if data := _data(rest):
        yield data


def _data(line: bytes) -> bytes:
    return line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""


def without_credentials(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def refusal(detail: ErrorDetail) -> EngineRefused:
    return EngineRefused(detail.message, detail.param, too_long=too_long(detail), fault=fault_of(detail))


def shows_pictures(request: ChatRequest) -> bool:
    return any(part.type == "image_url" for said in request.messages if not isinstance(said.content, str) for part in said.content)


def fault_of(detail: ErrorDetail) -> Fault:
    """Whose fault an error is, by OpenAI's codes and types, which other servers use, too. An exceeded rate passes by itself: no fault."""
    named = {detail.code, detail.type}
    if named & {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "quota_exceeded"}:
        return Fault.QUOTA
    if named & {"invalid_api_key", "authentication_error", "account_deactivated"}:
        return Fault.KEY
    if "model_not_found" in named:
        return Fault.MODEL
    return Fault.SIGHT if sees_nothing(detail) else Fault.REQUEST


def seconds(retry_after: str | None) -> float:
    """The seconds that a Retry-After header asks for, as a number or as a date; 0 where it is neither."""
    if not retry_after:
        return 0.0
    try:
        rest = float(retry_after)
    except ValueError:
        rest = _until(retry_after)
    return min(max(rest, 0.0), LONGEST_REST) if isfinite(rest) else 0.0


def _until(date: str) -> float:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    return (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - datetime.now(UTC).timestamp()
