"""The HTTP server of the page: security before every request, a port that is free, and a stop that does not hang."""

from __future__ import annotations

import errno
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapters.requests import bounded_bodies
from adapters.web.described import DESCRIBED
from adapters.web.hub import Hubs
from adapters.web.pages import Pages, UploadLimits
from adapters.web.security import LOOPBACK_NAMES, Sessions, add_headers, check_origin
from adapters.web.walls import WallPages
from bot.errors import ConfigError
from engine.connections import BoundedRunner, Bounds
from engine.http_routes import DOCUMENT, Route, document

PORTS_TRIED = 20
FORM_OVERHEAD = 1_000_000  # bytes of a form beside its pictures
STOP_SECONDS = 3.0  # for requests in flight


class Routed(Protocol):
    """A part of the page with addresses of its own."""

    def routes(self) -> list[Route]: ...


log = structlog.get_logger(__name__)


def guard(sessions: Sessions) -> Middleware:
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        check_origin(request, sessions)
        return await handler(request)

    return guarded


def application(
    pages: Pages,
    hubs: Hubs,
    sessions: Sessions,
    limits: UploadLimits,
    walls: WallPages | None = None,
    rooms: Sequence[Routed] = (),
) -> web.Application:
    """`rooms`: whatever else has addresses here."""

    async def end_streams(_: web.Application) -> None:
        hubs.close()
        if walls is not None:
            await walls.close()

    app = web.Application(middlewares=[guard(sessions), bounded_bodies], client_max_size=limits.bytes + FORM_OVERHEAD)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(end_streams)
    table = [*pages.routes(), *(walls.routes() if walls else []), *(route for room in rooms for route in room.routes())]
    app.add_routes([route.definition() for route in described(table)])
    return app


def described(table: Sequence[Route]) -> Sequence[Route]:
    """The same, and the address of the document that says so."""

    async def show(_: web.Request) -> web.StreamResponse:
        return web.json_response(document(DESCRIBED, whole))

    whole = (*table, Route("GET", DOCUMENT, show, "This document.", known=False))
    return whole


def check_exposure(host: str, password: str | None) -> None:
    """Refuse to serve other machines without a password."""
    if host not in LOOPBACK_NAMES and not password:
        raise ConfigError(
            f"web.host is {host!r}: other machines could reach the page, so it needs a password. "
            "Set GANDER_WEB_PASSWORD or web.password_file, or keep web.host at 127.0.0.1."
        )


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, bounds: Bounds | None = None) -> AsyncGenerator[str]:
    """Serve while the context is open. Gives the address; a busy port takes the next free one and says so."""
    runner = BoundedRunner(app, bounds or Bounds(), shutdown_timeout=STOP_SECONDS, handler_cancellation=False, unpacks=False)
    await runner.setup()
    try:
        taken = await _listen(runner, host, port)
        if port and taken != port:
            log.warning("port is busy, taking the next", busy=port, taken=taken)
        yield f"http://{_in_url(host)}:{taken}"
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> int:
    """The port that was free. 0 lets the system choose."""
    for candidate in range(port, min(port + PORTS_TRIED, 65536)) if port else (0,):
        try:
            await web.TCPSite(runner, host, candidate).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigError(f"can't serve the page at {host}:{candidate}: {error.strerror}. Change web.host or web.port.") from error
        else:
            return int(runner.addresses[0][1])
    raise ConfigError(f"the ports {port} to {port + PORTS_TRIED - 1} are all busy. Set web.port to a free one.")


def _in_url(host: str) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - how an address is shown, not bound
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
