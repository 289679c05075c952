"""OpenAI's chat completions: the form in which Gander's own bot asks, and most clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine.errors import EngineError
from engine.request import Event
from engine.server.chat_chunks import ChatChunks, completion
from engine.server.refusals import refusal
from engine.server.requests import parse_request
from engine.server.sse import DONE, frame


class ChatFormat:
    """OpenAI's chat completions."""

    end_frame = DONE

    def __init__(self, body: bytes) -> None:
        """Raises RequestError."""
        self.request = parse_request(body)

    def client_field(self, param: str) -> str:
        newer = param == "max_tokens" and self.request.max_completion_tokens is not None
        return "max_completion_tokens" if newer else param

    def completion(self, model: str, events: Sequence[Event]) -> bytes:
        return completion(model, events).model_dump_json().encode()

    def frames(self, model: str) -> Callable[[Event], Iterator[bytes]]:
        chunks = ChatChunks(model, self.request.stream_options is not None and self.request.stream_options.include_usage)
        return lambda event: map(frame, chunks.of(event))

    def error_frame(self, error: EngineError) -> bytes:
        return frame(refusal(error).body)
