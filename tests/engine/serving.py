"""A real engine server on loopback, in the test's own event loop, around the tiny letters model or another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from engine.connections import BoundedRunner, Bounds
from engine.core.worker import Loaded, Worker
from engine.metrics import Metrics
from engine.models.card import Card
from engine.server.app import Server
from tests.engine.tiny_letters import CARD, Letters


@asynccontextmanager
async def serving(
    load: Callable[[], Loaded] | None = None,
    *,
    key: str | None = None,
    capacity: int = 8,
    card: Card = CARD,
    metrics: Metrics | None = None,
    stall_seconds: float = 60.0,
    bounds: Bounds | None = None,
    adapters: tuple[str, ...] = (),
) -> AsyncIterator[str]:
    """Yields the server's address, `http://127.0.0.1:PORT`."""
    metrics = metrics or Metrics()
    worker = Worker(load or Letters().load, expected_seconds=0.1, capacity=capacity, metrics=metrics)
    task = asyncio.create_task(worker.run())
    bounds = bounds or Bounds()
    server = Server(card, worker, adapters, metrics=metrics, stall_seconds=stall_seconds, bounds=bounds)
    runner = BoundedRunner(server.application(key), bounds, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        worker.stop()
        await task
