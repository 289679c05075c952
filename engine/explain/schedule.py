"""When explanations are worked on: at once while nobody waits for a word, else so seldom that answers lose a twentieth at most."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Generator

import torch

from engine.explanation import ExplainedAnswer

SHARE = 0.05  # of the device's time, while answers are written

Work = Generator[None, None, ExplainedAnswer]


class ExplanationSchedule:
    """Explanations by the id of their request, the oldest first; one piece of the first is done at a time.

    On a GPU a piece is timed by the device, which works on it after the host went on.
    """

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._cuda = clock, device.type == "cuda"
        self._works: OrderedDict[str, Work] = OrderedDict()
        self._taken: dict[str, float] = {}  # seconds of each so far
        self._rest_until = 0.0
        self._piece: tuple[str, float, torch.cuda.Event, torch.cuda.Event] | None = None  # that the GPU may still be at
        self.last_seconds: float | None = None  # that the newest finished one took of the device

    def add(self, name: str, work: Work) -> None:
        self._works[name] = work
        self._taken[name] = 0.0

    def discard(self, name: str) -> None:
        if name in self._works:
            self._works.pop(name).close()
            self._taken.pop(name)

    def next(self, *, busy: bool) -> str | None:
        """Whose piece is to be done now; None: nobody's. `busy`: others' answers are being written."""
        if not self._works or (busy and (not self._arrived() or self._clock() < self._rest_until)):
            return None
        return next(iter(self._works))

    def advance(self, name: str) -> ExplainedAnswer | None:
        """Does a piece → the explanation, if that was the last. Raises what the work raises."""
        self._settle()
        begun, events = self._clock(), [torch.cuda.Event(enable_timing=True) for _ in range(2)] if self._cuda else []
        if events:
            events[0].record()
        try:
            next(self._works[name])
        except StopIteration as end:
            self._note(name, self._clock() - begun)
            explained: ExplainedAnswer = end.value
            self.last_seconds = self._taken[name]
            self.discard(name)
            return explained.model_copy(update={"seconds": round(self.last_seconds, 5)})
        host = self._clock() - begun
        if events:
            events[1].record()
            self._piece = name, host, events[0], events[1]
        else:
            self._note(name, host)
        return None

    def _arrived(self) -> bool:
        """Whether the GPU has finished the last piece."""
        if self._piece is not None and not self._piece[3].query():
            return False
        self._settle()
        return True

    def _settle(self) -> None:
        """Counts the time of the last piece, once it is known."""
        if self._piece is None:
            return
        name, host, begin, end = self._piece
        self._piece = None
        end.synchronize()
        self._note(name, max(host, begin.elapsed_time(end) / 1000))

    def _note(self, name: str, seconds: float) -> None:
        if name in self._taken:
            self._taken[name] += seconds
        self._rest_until = self._clock() + seconds * (1 / SHARE - 1)
