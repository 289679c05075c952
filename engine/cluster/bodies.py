"""Reads the bodies of requests at the cluster's entrance: each route has a length, every body a time, and none is unpacked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.errors import RequestError

QUESTION_BYTES: Final = 64 << 20  # with its pictures
SMALL_BYTES: Final = 1 << 20  # of everything else
BODY_SECONDS: Final = 60.0

Answering = Callable[[Request], Awaitable[Response]]


def asking_nothing(handler: Answering) -> Answering:
    """The handler of a route that has no use for a body: it takes a small one, and looks at none."""

    async def answer(http: Request) -> Response:
        await whole_body(http, SMALL_BYTES)
        return await handler(http)

    return answer


async def json_body(http: Request, most: int) -> bytes:
    """Raises RequestError for another type: a web page can't send JSON elsewhere without asking first."""
    if http.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError("Send JSON with the header `Content-Type: application/json`.")
    return await whole_body(http, most)


async def whole_body(http: Request, most: int) -> bytes:
    """Raises HTTPException for one that is longer than `most` bytes, takes too long, or is compressed: that would grow."""
    if http.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "Send the body as it is, not compressed.")
    declared = http.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:12]) > most:
        raise too_long(most)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in http.stream():
                body += part
                if len(body) > most:
                    raise too_long(most)
    except TimeoutError:
        raise HTTPException(408, f"The body took more than {BODY_SECONDS:.0f} seconds.") from None
    return bytes(body)


def too_long(most: int) -> HTTPException:
    return HTTPException(413, f"The body is longer than {most >> 20} MiB.")
