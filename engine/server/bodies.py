"""Reads the bodies of requests: each route has a length, and every body a time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from engine.errors import RequestError
from engine.server.requests import quoted

SMALL_BODY: Final = 1 << 20  # bytes, of everything but questions: the longest `/v1/forget` takes 700 kB
BODILESS: Final = {hdrs.METH_GET, hdrs.METH_HEAD}


def with_bounded_bodies(large: Collection[str], seconds: float) -> Middleware:
    """A body of SMALL_BODY at most, unpacked, but for the paths in `large`; what nobody asked for is read at once, to see that."""

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in large:
            return await handler(request)
        small = request.clone(client_max_size=SMALL_BODY)
        if request.method in BODILESS and request.can_read_body:
            await whole_body(small, seconds)
        return await handler(small)

    return bounded


async def json_body(http: web.Request, seconds: float) -> bytes:
    """Raises RequestError for another type: a web page can't send JSON to loopback without asking first."""
    if http.content_type != "application/json":
        raise RequestError(f"Send JSON with the header `Content-Type: application/json`, not {quoted(http.content_type)}.")
    return await whole_body(http, seconds)


async def whole_body(http: web.Request, seconds: float) -> bytes:
    """Raises RequestError for one that can't be read, HTTPException for one that is too long or takes too long.

    Not by aiohttp's `read`, which takes nine times the limit for a body that grows as it is unpacked.
    """
    body = bytearray()
    if (said := http.content_length or 0) > http.client_max_size:
        raise web.HTTPRequestEntityTooLarge(http.client_max_size, said)
    try:
        async with asyncio.timeout(seconds):
            async for part in http.content.iter_any():
                body += part
                if len(body) > http.client_max_size:
                    raise web.HTTPRequestEntityTooLarge(http.client_max_size, len(body))
    except web.RequestPayloadError:
        raise RequestError("The body can't be read: it is cut off, or not encoded as its headers say.") from None
    except TimeoutError:
        if http.transport is not None:
            http.transport.abort()  # nobody who sends so slowly is waited for to read why
        raise web.HTTPRequestTimeout(text=f"The body took more than {seconds:.0f} seconds.") from None
    return bytes(body)
