"""What every API form of a completion has: its JSON is read into one kind of request, and one kind of answer is written as its JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from engine.api import ChatRequest
from engine.errors import EngineError
from engine.request import Event


class AnswerFormat(Protocol):
    """One request to one API, such as `/v1/chat/completions`, and the writing of its answer."""

    @property
    def request(self) -> ChatRequest:
        """What is asked for, as a chat completion."""
        ...

    def client_field(self, param: str) -> str:
        """The client's own name of a field of `request`."""
        ...

    def completion(self, model: str, events: Sequence[Event]) -> bytes:
        """JSON of the whole answer."""
        ...

    def frames(self, model: str) -> Callable[[Event], Iterator[bytes]]:
        """A function that turns each event, called in their order, into server-sent events."""
        ...

    def error_frame(self, error: EngineError) -> bytes:
        """The last server-sent event of an answer that failed after it had begun."""
        ...

    @property
    def end_frame(self) -> bytes:
        """The bytes that end a stream after its last event."""
        ...
