"""OpenAI's older completions of one text, translated to chat completions: the prompt becomes a user's message."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from engine.api import Choice, Chunk, ChunkChoice, Completion, Logprobs
from engine.errors import EngineError, RequestError
from engine.request import Event
from engine.server.chat_chunks import ChatChunks, completion
from engine.server.refusals import refusal
from engine.server.requests import parse_request, read_object
from engine.server.sse import DONE, frame


class CompletionsFormat:
    """One request to `/v1/completions`."""

    end_frame = DONE

    def __init__(self, body: bytes) -> None:
        """Raises RequestError with the field as the client named it."""
        asked = read_object(body)
        prompt = asked.pop("prompt", None)
        prompt = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
        if not isinstance(prompt, str):
            raise RequestError("Send one text as `prompt`: this engine takes no tokens and not several texts at once.", "prompt")
        for name in ("echo", "suffix"):
            if asked.get(name):
                raise RequestError(f"This engine does not do {name}: leave it out.", name)
        if asked.get("best_of") not in (None, 1, asked.get("n")):
            raise RequestError("best_of must be n: for the best of several use num_beams.", "best_of")
        count = asked.pop("logprobs", None)
        if count is not None:
            asked |= {"logprobs": True, "top_logprobs": count}
        try:
            self.request = parse_request(to_json({**asked, "messages": [{"role": "user", "content": prompt}]}))
        except RequestError as error:
            raise RequestError(self.client_field(str(error)), error.param and self.client_field(error.param)) from None

    def client_field(self, param: str) -> str:
        return param.replace("messages[0].content", "prompt").replace("messages", "prompt").replace("top_logprobs", "logprobs")

    def completion(self, model: str, events: Sequence[Event]) -> bytes:
        return json.dumps(as_completion(completion(model, events))).encode()

    def frames(self, model: str) -> Callable[[Event], Iterator[bytes]]:
        chunks = ChatChunks(model, self.request.stream_options is not None and self.request.stream_options.include_usage)
        offsets: dict[int, int] = {}

        def framed(event: Event) -> Iterator[bytes]:
            for chunk in chunks.of(event):
                yield b"data: " + json.dumps(as_completion(chunk, offsets)).encode() + b"\n\n"

        return framed

    def error_frame(self, error: EngineError) -> bytes:
        return frame(refusal(error).body)


def as_completion(made: Completion | Chunk, offsets: dict[int, int] | None = None) -> dict[str, Any]:
    """A chat completion or chunk as a text completion; `offsets` holds how many characters of each choice were sent before."""
    offsets = {} if offsets is None else offsets
    choices = [choice_of(choice, offsets) for choice in made.choices]
    said = {"id": made.id.replace("chatcmpl", "cmpl"), "object": "text_completion", "created": made.created, "model": made.model}
    return {**said, "choices": choices} | ({"usage": made.usage.model_dump()} if made.usage else {})


def choice_of(choice: Choice | ChunkChoice, offsets: dict[int, int]) -> dict[str, Any]:
    text = (choice.message.content if isinstance(choice, Choice) else choice.delta.content) or ""
    scored = logprobs_of(choice.logprobs, offsets.get(choice.index, 0))
    offsets[choice.index] = offsets.get(choice.index, 0) + len(text)
    return {"text": text, "index": choice.index, "logprobs": scored, "finish_reason": choice.finish_reason}


def logprobs_of(found: Logprobs | None, offset: int) -> dict[str, Any] | None:
    if found is None or not found.content:
        return None
    offsets = []
    for token in found.content:
        offsets.append(offset)
        offset += len(token.token) if token.bytes is not None and not token.token.startswith("bytes:") else 0
    return {
        "tokens": [token.token for token in found.content],
        "token_logprobs": [token.logprob for token in found.content],
        "top_logprobs": [{other.token: other.logprob for other in token.top_logprobs} for token in found.content],
        "text_offset": offsets,
    }
