"""The trace that each question began with when its platform's event came: its answer is made later, in another task, and belongs there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine import tracing

MOST: Final = 10_000  # of questions that are taken back, or that another bot answers, nobody asks; the oldest go


class Receipts:
    """By job; empty while no spans are wanted. What a restart lies between begins a trace of its own."""

    def __init__(self) -> None:
        self._headers: dict[int, Mapping[str, str]] = {}

    def keep(self, job: int) -> None:
        """The present span is the receipt of this job's question."""
        if headers := tracing.headers():
            self._headers[job] = headers
            if len(self._headers) > MOST:
                del self._headers[next(iter(self._headers))]

    def take(self, job: int) -> Mapping[str, str] | None:
        """For `tracing.span`; None: unknown, or asked for already."""
        return self._headers.pop(job, None)
