"""What the engine counts and times, in Prometheus' form. The device's thread writes them and `/metrics` reads them, both at any time."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from engine.api import FinishReason

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# Buckets in seconds: fine where an idle card answers, coarse where people give up.
FIRST_TOKEN = (0.01, 0.015, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
BETWEEN_TOKENS = (0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1)
ROWS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)

Ending = FinishReason | Literal["cancelled", "failed"]


class Metrics:
    """One engine's figures, in a registry of their own. They outlive a restart of the worker."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._submitted = Counter("gander_requests", "Requests that were taken in.", registry=registry)
        self._finished = Counter("gander_requests_finished", "Requests that ended, by how.", ["reason"], registry=registry)
        self._queue = Gauge("gander_queue_length", "Requests that wait for room on the device.", registry=registry)
        self._tokens = Counter("gander_tokens", "Tokens written.", registry=registry)
        self._first_token = histogram(registry, "gander_first_token_seconds", "From taking a request in to its first token.", FIRST_TOKEN)
        self._between = histogram(registry, "gander_inter_token_seconds", "From one token of a row to its next.", BETWEEN_TOKENS)
        self._rows = Gauge("gander_rows", "Rows in the step under way; 0 when idle.", registry=registry)
        self._batch = histogram(registry, "gander_batch_rows", "Rows a step.", ROWS)
        self._prompt = Counter("gander_prompt_tokens", "Tokens of prompts, pictures counted as what they take.", registry=registry)
        self._hit = Counter("gander_prompt_tokens_cached", "Of these, found in the prefix cache.", registry=registry)
        self._pictures = Counter("gander_pictures", "Pictures looked up in the embedding cache.", ["cache"], registry=registry)
        self._restarts = Counter("gander_worker_restarts", "Deaths of the device's thread.", registry=registry)
        for cache in ("hit", "miss"):
            self._pictures.labels(cache)  # shown from the start, so that a rate over them is never empty

    def submitted(self) -> None:
        self._submitted.inc()

    def queued(self, requests: int) -> None:
        """Sets how many requests wait now."""
        self._queue.set(requests)

    def prefix(self, hit: int, total: int) -> None:
        """A prompt of `total` tokens was admitted; `hit` of them were in the cache."""
        self._hit.inc(hit)
        self._prompt.inc(total)

    def picture(self, hit: bool) -> None:
        self._pictures.labels("hit" if hit else "miss").inc()

    def first_token(self, seconds: float) -> None:
        """Records the seconds from a request's arrival to its first token."""
        self._first_token.observe(seconds)

    def between_tokens(self, seconds: float) -> None:
        """Records the seconds between two tokens of one row."""
        self._between.observe(seconds)

    def tokens(self, written: int) -> None:
        self._tokens.inc(written)

    def batch(self, rows: int) -> None:
        """A step of so many rows begins; 0 = there is nothing to do."""
        self._rows.set(rows)
        if rows:
            self._batch.observe(rows)

    def finished(self, reason: Ending) -> None:
        self._finished.labels(reason).inc()

    def restarted(self) -> None:
        """The worker died, and all requests with it."""
        self._restarts.inc()
        self._queue.set(0)
        self._rows.set(0)

    def exposition(self) -> bytes:
        """All figures as `/metrics` sends them, of `MEDIA_TYPE`."""
        return generate_latest(self._registry)


def histogram(registry: CollectorRegistry, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
    return Histogram(name, help_text, buckets=buckets, registry=registry)
