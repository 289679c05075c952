"""The forms in which a completion may be asked for: each reads its own into the one request, and writes the one answer in its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from engine.api import ChatRequest
from engine.errors import EngineError
from engine.request import Event
from engine.server.chat_chunks import Framing, completion
from engine.server.requests import DONE, frame, parse_request, refusal


class AnswerFormat(Protocol):
    """One request in one form."""

    @property
    def wish(self) -> ChatRequest:
        """What it asks for."""
        ...

    def sent(self, param: str) -> str:
        """The client's own name of a field of `wish`."""
        ...

    def whole(self, model: str, events: Sequence[Event]) -> bytes:
        """JSON of the whole answer."""
        ...

    def frames(self, model: str) -> Callable[[Event], Iterator[bytes]]:
        """What makes each event, in order, server-sent events."""
        ...

    def failed(self, error: EngineError) -> bytes:
        """The last server-sent event of an answer that began and went wrong."""
        ...

    @property
    def ending(self) -> bytes:
        """What comes after the last server-sent event."""
        ...


class ChatFormat:
    """OpenAI's chat completions."""

    ending = DONE

    def __init__(self, body: bytes) -> None:
        """Raises RequestError."""
        self.wish = parse_request(body)

    def sent(self, param: str) -> str:
        newer = param == "max_tokens" and self.wish.max_completion_tokens is not None
        return "max_completion_tokens" if newer else param

    def whole(self, model: str, events: Sequence[Event]) -> bytes:
        return completion(model, events).model_dump_json().encode()

    def frames(self, model: str) -> Callable[[Event], Iterator[bytes]]:
        framing = Framing(model, self.wish.stream_options is not None and self.wish.stream_options.include_usage)
        return lambda event: map(frame, framing.chunks(event))

    def failed(self, error: EngineError) -> bytes:
        return frame(refusal(error).body)
