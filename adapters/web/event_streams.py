"""Server-sent events of a hub: what the page and the walls share."""

from __future__ import annotations

import json
from contextlib import aclosing, suppress

from aiohttp import web

from adapters.web.hub import Event, Hub

HEARTBEAT_SECONDS = 15.0  # a comment into the stream: finds pages that went away without a word


async def stream_events(request: web.Request, hub: Hub) -> web.StreamResponse:
    """Until the page goes or the hub closes. A page that comes back names the last event it has."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    after = request.headers.get("Last-Event-ID") or request.query.get("after", "")
    async with aclosing(hub.follow(after, HEARTBEAT_SECONDS)) as events:
        with suppress(ConnectionResetError):  # the page is gone
            await response.write(b": hello\n\n")
            async for event in events:
                await response.write(framed(event) if event else b": still here\n\n")
    return response


def framed(event: Event) -> bytes:
    return f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n".encode()
