"""Limits connections: how many there are, how long one may be silent, and how many log lines a flood of them causes.

The engine's server and, the one thing of the engine's besides its wire types, the bot's own servers stand behind it: it knows no model.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import structlog
from aiohttp import ClientConnectionResetError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

log = structlog.get_logger()

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
MOST = 1024
TELL_SECONDS = 60.0  # between two lines about the same


def affordable_connections() -> int:
    """MOST, or half of the files that this process may open: the other half is for its database, pictures and calls."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if allowed == resource.RLIM_INFINITY else max(1, min(MOST, allowed // 2))


@dataclass(frozen=True)
class Bounds:
    """A connection is closed if a request's headers take longer than `idle_seconds`, or its body longer than `body_seconds`."""

    connections: int = field(default_factory=affordable_connections)
    idle_seconds: float = 30.0
    body_seconds: float = 60.0


class CountedLine:
    """Logs an event once in TELL_SECONDS at most, with how often it happened so far. Others who ask for it are counted in silence."""

    def __init__(self, event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.event, self.clock = event, clock
        self.count, self.told = 0, -TELL_SECONDS

    def happened(self, **values: str) -> None:
        self.count += 1
        if self.clock() - self.told >= TELL_SECONDS:
            self.told = self.clock()
            log.warning(self.event, so_far=self.count, **values)


class BoundedRunner(web.AppRunner):
    """aiohttp's AppRunner with at most `bounds.connections` open connections; malformed requests are counted in one log line.

    `unpacks`: compressed bodies. Else one that was refused would still be unpacked while what is left of it is read.
    """

    def __init__(
        self, app: web.Application, bounds: Bounds, shutdown_timeout: float, *, handler_cancellation: bool = True, unpacks: bool = True
    ) -> None:
        logger = logging.Logger("aiohttp.server")  # not the shared logger, on which the filter would outlive this server
        logger.parent = logging.getLogger()
        logger.addFilter(MalformedRequestFilter())
        super().__init__(
            app,
            handler_cancellation=handler_cancellation,
            shutdown_timeout=shutdown_timeout,
            keepalive_timeout=bounds.idle_seconds,
            auto_decompress=unpacks,
            logger=logger,
            access_log=None,
        )
        self.bounds = bounds
        self._bounded: BoundedServer | None = None

    @property
    def server(self) -> web.Server | None:
        """The factory of protocols for new connections."""
        made = super().server
        if made is not None and self._bounded is None:
            self._bounded = BoundedServer(made, self.bounds.connections)
        return None if made is None else cast(web.Server, self._bounded)


class BoundedServer:
    """Makes protocols as `server` does. With `most` connections open, the one that has been waiting for a request the longest makes room;
    where every one is at work, the newcomer is refused.
    """

    def __init__(self, server: web.Server, most: int) -> None:
        self.server, self.most = server, most
        self.at_work: set[RequestHandler] = set()  # connections whose request is being answered
        self.refused = CountedLine("too many connections")
        self.handle = server.request_handler
        server.request_handler = self._noting_work

    def __call__(self) -> asyncio.Protocol:
        opened = [connection for connection in self.server.connections if connection.transport is not None]
        if len(opened) >= self.most:
            self.refused.happened()
            idle = next((connection for connection in opened if connection not in self.at_work), None)
            if idle is None:
                return RefusedConnection()
            idle.force_close()
        return self.server()

    async def _noting_work(self, request: web.BaseRequest) -> web.StreamResponse:
        self.at_work.add(request.protocol)
        try:
            return await self.handle(request)
        except ClientConnectionResetError:  # whoever asked is gone: aiohttp takes it for a fault of the handler's, with a traceback
            return web.Response()
        finally:
            self.at_work.discard(request.protocol)


class RefusedConnection(asyncio.Protocol):
    """A connection above the limit: it gets status 503 and is closed, with nothing read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        told = cast(asyncio.Transport, transport)
        told.write(FULL)
        told.close()


class MalformedRequestFilter(logging.Filter):
    """Drops malformed requests from aiohttp's log, where each would be a traceback, and logs their count, once in TELL_SECONDS at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.line = CountedLine("malformed requests", clock)

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        self.line.happened(last=type(error).__name__)
        return False
