"""One request at a time, for whoever has no event loop: evaluation, measurements, tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from engine.core.build import build_engine
from engine.errors import EngineError
from engine.models.base import VisionLanguageModel
from engine.request import Event, Request


class OfflineEngine:
    """A model that answers, through the engine that serves many."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model = model
        self.engine = build_engine(model, rows=10)

    def generate(self, request: Request, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Event]:
        """Yields events as they come about; ends early, without `Done`, once `cancelled()` says so.

        Raises RequestError (ContextError, …) before the first event and GenerationError when the device runs out of memory.
        """
        heard: deque[Event | EngineError] = deque()
        self.engine.submit(request, heard.append, cancelled)
        busy = True
        while busy or heard:
            while heard:
                event = heard.popleft()
                if isinstance(event, EngineError):
                    raise event
                yield event
            busy = self.engine.step()
