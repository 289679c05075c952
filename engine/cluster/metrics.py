"""What an entrance counts and times, in Prometheus' form: answers over all replicas that worked on each, and how the replicas are."""

from __future__ import annotations

import time
from collections import Counter as Counted
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from engine.api import Health
from engine.errors import EngineError, RequestError
from engine.metrics import FIRST_TOKEN, histogram
from engine.request import Event, Provisional, TextDelta

Outcome = Literal["answered", "refused", "failed", "cancelled"]
STATES: Final = ("loading", "ready", "failed")


class EntranceMetrics:
    """One entrance's figures, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._ended = Counter("gander_cluster_requests", "Requests that ended, by how.", ["outcome"], registry=registry)
        self._running = Gauge("gander_cluster_requests_running", "Requests under way.", registry=registry)
        self._lost = Counter("gander_cluster_replicas_lost", "Replicas that were gone in the middle of an answer.", registry=registry)
        self._first = histogram(registry, "gander_cluster_first_text_seconds", "From a request to its first text.", FIRST_TOKEN)
        self._replicas = Gauge("gander_cluster_replicas", "Replicas at the last look, by how they are.", ["status"], registry=registry)
        self._rows = Gauge("gander_cluster_rows", "Rows of those that were ready.", registry=registry)
        for outcome in get_args(Outcome):
            self._ended.labels(outcome)  # shown from the start, so that a rate over them is never empty
        for status in STATES:
            self._replicas.labels(status)

    def replica_lost(self) -> None:
        self._lost.inc()

    def seen(self, replicas: Sequence[Health]) -> None:
        """How the replicas were at a look."""
        found = Counted(health.status for health in replicas)
        for status in STATES:
            self._replicas.labels(status).set(found[status])
        self._rows.set(sum(health.rows for health in replicas if health.status == "ready"))

    async def counting(self, events: AsyncGenerator[Event | None]) -> AsyncGenerator[Event | None]:
        """The same events; counts how they end. Who closes them early has gone."""
        begun, shown = time.monotonic(), False
        outcome: Outcome = "cancelled"
        self._running.inc()
        try:
            async with aclosing(events):
                async for event in events:
                    if not shown and isinstance(event, TextDelta | Provisional):
                        shown = True
                        self._first.observe(time.monotonic() - begun)
                    yield event
            outcome = "answered"
        except EngineError as error:
            outcome = "refused" if isinstance(error, RequestError) else "failed"
            raise
        finally:
            self._running.dec()
            self._ended.labels(outcome).inc()

    def exposition(self) -> bytes:
        """All figures as `/metrics` sends them, of `engine.metrics.MEDIA_TYPE`."""
        return generate_latest(self._registry)
