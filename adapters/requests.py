"""What every HTTP server of the bot's holds to: bodies of a size and a time that fit their route, and secrets compared in constant time."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable
from typing import Final, TypeVar

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

SMALL_BODY: Final = 1 << 16  # bytes: of everything but uploads
BODY_SECONDS: Final = 30.0  # for such a body
UPLOAD: Final = "upload"  # the name of routes that read a large body by themselves
UPLOAD_SECONDS: Final = 600.0
# What aiohttp raises on a form that is not one: a charset nobody knows, letters outside of it, no boundary, parts that break off, headers
# of parts with control characters.
BROKEN_FORM: Final = (ValueError, LookupError, AssertionError, RuntimeError, web.RequestPayloadError, HttpProcessingError)

T = TypeVar("T")


@web.middleware
async def bounded_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the body before the handler does, SMALL_BODY at most, but for routes named UPLOAD. Compressed ones are refused: they grow."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise web.HTTPUnsupportedMediaType(text="Send the body as it is, not compressed.")
    if request.match_info.route.name == UPLOAD or not request.can_read_body:
        return await handler(request)
    small = request.clone(client_max_size=SMALL_BODY)
    if (request.content_length or 0) > SMALL_BODY:
        raise web.HTTPRequestEntityTooLarge(SMALL_BODY, request.content_length or 0)
    await within(BODY_SECONDS, small, small.read())
    return await handler(small)


async def within(seconds: float, request: web.Request, reading: Awaitable[T]) -> T:
    """What was read. Who takes longer is hung up; raises HTTPBadRequest for a body that breaks off."""
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()  # nobody who sends so slowly is waited for to read why
        raise web.HTTPRequestTimeout from None
    except web.RequestPayloadError:
        raise web.HTTPBadRequest(text="The body breaks off.") from None


async def text_of(request: web.Request) -> str:
    """The body as text. Raises HTTPBadRequest for letters that are not of its charset, and for a charset that nobody knows."""
    try:
        return await request.text()
    except (ValueError, LookupError):
        raise web.HTTPBadRequest(text="The body is not text of the charset that its headers name.") from None


def same_secret(given: str, secret: str) -> bool:
    """Whether they are equal, in constant time. `given` may hold bytes that are no UTF-8, as headers do."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), secret.encode())
