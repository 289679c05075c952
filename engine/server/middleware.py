"""aiohttp middleware for every request: a request id and one log line, OpenAI's error body, the key."""

from __future__ import annotations

import hmac
import ipaddress
import re
import time
import uuid
from contextlib import AbstractContextManager, nullcontext
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from engine.api import ErrorBody, ErrorDetail, Wire
from engine.errors import AuthenticationError, EngineError
from engine.server.refusals import Refusal, refusal
from engine.server.requests import clipped
from engine.tracing import span

REQUEST_ID_HEADER = "X-Request-Id"
REQUEST_ID = web.RequestKey("request_id", str)
PROBED = {"/health", "/metrics"}
SOUND_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)

log = structlog.get_logger()


@web.middleware
async def with_request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Uses the caller's request id or makes one, binds it to the log and returns it. Logs no text, no key and no query."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = given if SOUND_ID.fullmatch(given) else uuid.uuid4().hex
    request[REQUEST_ID] = request_id
    begun = time.monotonic()
    spanned: AbstractContextManager[None] = (
        nullcontext() if request.path in PROBED else span(f"{request.method} {request.path}", request.headers, request=request_id)
    )
    with structlog.contextvars.bound_contextvars(request_id=request_id), spanned:
        status: int | str = "disconnected"
        try:
            response = await handler(request)
            status = response.status
        finally:
            tell = log.debug if request.path in PROBED else log.info  # probes come every few seconds
            tell("request", method=request.method, path=request.path, status=status, seconds=round(time.monotonic() - begun, 3))
    return response


async def say_request_id(request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: streamed answers send their headers before the handler returns."""
    if (request_id := request.get(REQUEST_ID)) is not None:  # a request that could not be parsed has none
        response.headers[REQUEST_ID_HEADER] = request_id


@web.middleware
async def with_error_form(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers errors raised on purpose, ours and aiohttp's, with OpenAI's error body."""
    try:
        return await handler(request)
    except EngineError as error:
        return error_response(refusal(error))
    except web.HTTPException as error:
        kind = "invalid_request_error" if error.status < 500 else "server_error"
        body = ErrorBody(error=ErrorDetail(message=error.text or error.reason, type=kind))
        response = error_response(Refusal(error.status, body))
        if hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(request: web.Request) -> str:
    """The name by which the engine was called, without the port."""
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def with_key(key: str | None) -> Middleware:
    """Requires `Authorization: Bearer KEY` everywhere but at /health, which is for probes and holds nothing secret.

    Without a key it answers to names of this machine alone: else a web page could give itself a name that leads here (DNS rebinding).
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if key is None and not is_loopback(host_of(request)):
            raise web.HTTPForbidden(text=f"Without a key this engine answers to localhost only, not to {clipped(request.host)}.")
        if key is not None and request.path != "/health" and not has_key(request, key):
            raise AuthenticationError("The key is missing or wrong: send `Authorization: Bearer KEY`.")
        return await handler(request)

    return check


def has_key(request: web.Request, key: str) -> bool:
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(errors="surrogateescape"), key.encode())


def error_response(said: Refusal) -> web.Response:
    response = json_response(said.body, said.status)
    if said.retry_after is not None:
        response.headers[hdrs.RETRY_AFTER] = str(said.retry_after)
    return response


def json_response(body: Wire, status: int = 200) -> web.Response:
    return web.Response(body=body.model_dump_json().encode(), status=status, content_type="application/json")
