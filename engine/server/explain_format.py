"""`POST /v1/explain`, which is ours: the request that was answered and its answer go in, how it came about comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine.errors import EngineError
from engine.request import Event, Explained
from engine.server.refusals import refusal
from engine.server.requests import parse_explain
from engine.server.sse import DONE, frame


class ExplainFormat:
    """An explanation, which comes whole: nothing of it is streamed."""

    end_frame = DONE

    def __init__(self, body: bytes) -> None:
        """Raises RequestError."""
        self.request = parse_explain(body)

    def client_field(self, param: str) -> str:
        return param

    def completion(self, model: str, events: Sequence[Event]) -> bytes:
        explained = next(event for event in events if isinstance(event, Explained))
        return explained.explanation.model_dump_json().encode()

    def frames(self, model: str) -> Callable[[Event], Iterator[bytes]]:
        """Never called: see `parse_explain`."""
        return lambda event: iter(())

    def error_frame(self, error: EngineError) -> bytes:
        return frame(refusal(error).body)
