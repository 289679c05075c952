"""One request at a time, for whoever has no event loop: evaluation, measurements, tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from engine.core.build import build_engine
from engine.errors import EngineError
from engine.models.base import VisionLanguageModel
from engine.request import Event, Request


class OfflineEngine:
    """A model that answers one request at a time, through the engine that serves many."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model = model
        self.engine = build_engine(model, rows=10)

    def generate(self, request: Request, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Yields the request's events as they come; ends early, without `Done`, once `cancelled()`, asked before each step, is true.

        Raises RequestError (ContextError, …) before the first event and GenerationError when the device runs out of memory.
        """
        events: deque[Event | EngineError] = deque()
        self.engine.add(request, events.append)
        try:
            busy = True
            while busy and not cancelled():
                busy = self.engine.step()
                while events:
                    event = events.popleft()
                    if isinstance(event, EngineError):
                        raise event
                    yield event
        finally:
            self.engine.abort(request.id)
