"""When explanations are worked on: at once while nobody waits for a word, else only with time that answers can spare.

While answers are written, an explanation saves up SHARE of the time that passes and does a piece once it has saved what such a piece
takes; what a piece took more than that is owed first. So answers lose no more than that share, whatever an explanation asks for.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator

import torch

from engine.explanation import ExplainedAnswer

SHARE = 0.03  # of the time, while answers are written: what can't be timed (caches, Python's lock) has room below a twentieth
GUESS = 0.01  # seconds of a piece, before one was timed
REMEMBERED = 8  # pieces, of which the longest says what the next one takes

Work = Generator[None, None, ExplainedAnswer]


class ExplanationSchedule:
    """Explanations by the id of their request, the oldest first; one piece of the first is done at a time.

    On a GPU a piece is timed by the device, which works on it after the host went on.
    """

    def __init__(self, device: torch.device, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._cuda = clock, device.type == "cuda"
        self._works: OrderedDict[str, Work] = OrderedDict()
        self._taken: dict[str, float] = {}  # seconds of each so far
        self._saved = 0.0  # seconds; less than 0: owed
        self._saving_since: float | None = None  # None: nobody waited for a word
        self._pieces: deque[float] = deque(maxlen=REMEMBERED)  # seconds of the latest
        self._piece: tuple[str, float, torch.cuda.Event, torch.cuda.Event] | None = None  # that the GPU may still be at
        self.last_seconds: float | None = None  # that the newest finished one took of the device

    def __len__(self) -> int:
        return len(self._works)

    @property
    def first(self) -> str | None:
        """Whose piece is the next."""
        return next(iter(self._works), None)

    def add(self, name: str, work: Work) -> None:
        self._works[name] = work
        self._taken[name] = 0.0

    def discard(self, name: str) -> None:
        if name in self._works:
            self._works.pop(name).close()
            self._taken.pop(name)

    def next(self, *, busy: bool) -> str | None:
        """Whose piece is to be done now; None: nobody's. `busy`: others' answers are being written."""
        if not self._works or not busy:
            self._saving_since = None
            return self.first
        return self.first if self._arrived() and self._can_spare() else None

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

    def _can_spare(self) -> bool:
        """Whether enough was saved for a piece. Nothing is saved beyond that, and nothing of a quiet time."""
        now = self._clock()
        if self._saving_since is None:
            self._saved = min(self._saved, 0.0)
        else:
            self._saved += SHARE * (now - self._saving_since)
        self._saving_since = now
        needed = max(self._pieces, default=GUESS)
        enough = self._saved >= needed
        self._saved = min(self._saved, needed)
        return enough

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
        self._pieces.append(seconds)
        if self._saving_since is not None:
            self._saved -= seconds
