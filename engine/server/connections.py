"""Limits connections: how many there are, how long one may be silent, and how many log lines malformed requests cause."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = structlog.get_logger()

FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Bounds:
    """A connection is closed if a request's headers take longer than `idle_seconds`, or its body longer than `body_seconds`."""

    connections: int = 1024
    idle_seconds: float = 30.0
    body_seconds: float = 60.0


class BoundedRunner(web.AppRunner):
    """aiohttp's AppRunner with at most `bounds.connections` open connections; malformed requests are counted in one log line."""

    def __init__(self, app: web.Application, bounds: Bounds, shutdown_timeout: float) -> None:
        logger = logging.Logger("aiohttp.server")  # not the shared logger, on which the filter would outlive this server
        logger.parent = logging.getLogger()
        logger.addFilter(MalformedRequestFilter())
        super().__init__(
            app, handler_cancellation=True, shutdown_timeout=shutdown_timeout, keepalive_timeout=bounds.idle_seconds, logger=logger
        )
        self.bounds = bounds

    @property
    def server(self) -> web.Server | None:
        """The factory of protocols for new connections."""
        made = super().server
        return None if made is None else cast(web.Server, BoundedServer(made, self.bounds.connections))


class BoundedServer:
    """Makes protocols as `server` does, or refuses while `most` connections are open."""

    def __init__(self, server: web.Server, most: int) -> None:
        self.server, self.most = server, most

    def __call__(self) -> asyncio.Protocol:
        return RefusedConnection() if len(self.server.connections) >= self.most else self.server()


class RefusedConnection(asyncio.Protocol):
    """A connection above the limit: it gets status 503 and is closed, with nothing read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        log.warning("too many connections")
        told = cast(asyncio.Transport, transport)
        told.write(FULL)
        told.close()


class MalformedRequestFilter(logging.Filter):
    """Drops malformed requests from aiohttp's log, where each would be a traceback, and logs their count, once in `seconds` at most."""

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.seconds, self.clock = seconds, clock
        self.count, self.told = 0, -seconds

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        self.count += 1
        if self.clock() - self.told >= self.seconds:
            self.told = self.clock()
            log.warning("malformed requests", so_far=self.count, last=type(error).__name__)
        return False
