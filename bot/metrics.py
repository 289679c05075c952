"""What the bot counts and times, in Prometheus' form: how questions end and how long people wait, and how things stand now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from bot.engines.engine import EngineState
from bot.store.tables import Finish

MEDIA_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
WAITS: Final = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)  # seconds, from a question to its whole answer


class Metrics:
    """One bot's figures, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._answers = Counter("gander_answers", "Answers that ended, by platform and how.", ["platform", "finish"], registry=registry)
        self._seconds = Histogram("gander_answer_seconds", "From a question to its whole answer.", registry=registry, buckets=WAITS)
        self._put_back = Counter("gander_answers_put_back", "Answers that an engine broke off; they begin again.", registry=registry)
        self._waiting = Gauge("gander_questions_waiting", "Questions that wait for an engine.", registry=registry)
        self._running = Gauge("gander_questions_running", "Questions that this bot has engines answer.", registry=registry)
        self._ready = Gauge("gander_engine_ready", "1 for an engine that is ready.", ["engine"], registry=registry)
        self._connected = Gauge("gander_platform_connected", "1 for a platform that is connected.", ["platform"], registry=registry)
        self._unreadable = Gauge(
            "gander_updates_unreadable", "Updates that are kept because they could not be read.", ["platform"], registry=registry
        )

    def answer_ended(self, platform: str, finish: Finish, seconds: float) -> None:
        """An answer was stored whole, so long after its question."""
        self._answers.labels(platform, finish).inc()
        self._seconds.observe(seconds)

    def put_back(self) -> None:
        self._put_back.inc()

    def questions(self, waiting: int, running: int) -> None:
        self._waiting.set(waiting)
        self._running.set(running)

    def engines(self, states: Iterable[EngineState]) -> None:
        for state in states:
            self._ready.labels(state.name).set(state.health is not None and state.health.status == "ready" and state.fault is None)

    def platforms(self, known: Iterable[str], connected: Iterable[str]) -> None:
        """One that was ever connected is shown from then on."""
        up = set(connected)
        for name in known:
            self._connected.labels(name).set(name in up)

    def unreadable(self, updates: Mapping[str, int]) -> None:
        """How many updates are kept that could not be read, by platform."""
        for platform, count in updates.items():
            self._unreadable.labels(platform).set(count)

    def exposition(self) -> bytes:
        """All figures, of `MEDIA_TYPE`."""
        return generate_latest(self._registry)
