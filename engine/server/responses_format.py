"""OpenAI's responses, the default of new SDKs, translated to chat completions: text and pictures in, text out, nothing is stored."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from engine.api import ChatRequest
from engine.errors import EngineError, RequestError
from engine.request import ChoiceFinished, Done, Event, TextDelta
from engine.server.refusals import refusal
from engine.server.requests import parse_request, read_object

NAMES = {"max_completion_tokens": "max_output_tokens", "max_tokens": "max_output_tokens", "response_format": "text.format"}
# Fields with the same name in chat completions, ours included, without those that responses have no place for.
SAME = ChatRequest.model_fields.keys() - {
    *("messages", "max_tokens", "max_completion_tokens", "response_format", "stream_options", "n"),
    *("logprobs", "top_logprobs", "beam_tree", "continue_final_message"),
}
KEPT = {"previous_response_id": "the whole conversation in `input`", "conversation": "the whole conversation in `input`"}
MESSAGE = re.compile(r"messages\[(\d+)\]")


class ResponsesFormat:
    """One request to `/v1/responses`."""

    end_frame = b""

    def __init__(self, body: bytes) -> None:
        """Raises RequestError with the field as the client named it."""
        self.places: list[str] = []
        self.asked = read_object(body)
        for name, instead in KEPT.items():
            if self.asked.get(name) is not None:
                raise RequestError(f"This engine keeps no responses: send {instead}.", name)
        try:
            self.request: ChatRequest = parse_request(to_json(self.chat()))
        except RequestError as error:
            raise RequestError(self.client_field(str(error)), error.param and self.client_field(error.param)) from None

    def chat(self) -> dict[str, Any]:
        """The same request as a chat completion's JSON."""
        asked, said = self.asked, list[dict[str, Any]]()
        if asked.get("instructions") is not None:
            self.places.append("instructions")
            said.append({"role": "system", "content": asked["instructions"]})
        items = asked.get("input")
        for at, item in enumerate(items) if isinstance(items, list) else [(None, {"role": "user", "content": items})]:
            message = message_of(item)
            if message is not None:
                self.places.append("input" if at is None else f"input[{at}]")
                said.append(message)
        wanted = asked["text"].get("format") if isinstance(asked.get("text"), dict) else None
        chat = {name: asked[name] for name in SAME if name in asked}
        return {**chat, "messages": said, "max_completion_tokens": asked.get("max_output_tokens"), "response_format": format_of(wanted)}

    def client_field(self, param: str) -> str:
        """Translates a path back: `messages[1].content` may be `input[0].content`."""
        for ours, theirs in NAMES.items():
            param = param.replace(ours, theirs)
        named = MESSAGE.sub(lambda found: self.places[int(found[1])] if int(found[1]) < len(self.places) else "input", param)
        return (
            re.sub(r"^messages\b|(?<=\()messages\b", "input", named)
            .replace("image_url.url", "image_url")
            .replace("image_url.detail", "detail")
        )

    def completion(self, model: str, events: Sequence[Event]) -> bytes:
        said = ResponseStream(self.asked, model)
        for event in events:
            said.add(event)
        return json.dumps(said.response()).encode()

    def frames(self, model: str) -> Callable[[Event], Iterator[bytes]]:
        said = ResponseStream(self.asked, model)
        return said.frames

    def error_frame(self, error: EngineError) -> bytes:
        said = refusal(error).body.error
        return named({"type": "error", "code": said.code or said.type, "message": said.message, "param": said.param, "sequence_number": 0})


def message_of(item: Any) -> Any:
    """An item of `input` as a chat message; None for reasoning, which is left out."""
    if not isinstance(item, dict):
        return item
    match item.get("type", "message"):
        case "message":
            content = item.get("content")
            return {"role": item.get("role"), "content": [part_of(part) for part in content] if isinstance(content, list) else content}
        case "function_call":
            return {"role": "assistant", "content": None, "tool_calls": [{"function": item}]}
        case "function_call_output":
            output = item.get("output")
            return {"role": "tool", "content": output if isinstance(output, str) else json.dumps(output)}
        case "reasoning":
            return None
        case _:
            return {"role": "user", "content": [{"type": item.get("type")}]}  # `parse_request` refuses the unknown type


def part_of(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    match part.get("type"):
        case "input_text" | "output_text":
            return {"type": "text", "text": part.get("text")}
        case "input_image":
            return {"type": "image_url", "image_url": {"url": part.get("image_url"), "detail": part.get("detail")}}
    return part


def format_of(wanted: Any) -> Any:
    """`text.format`, which holds a schema's fields itself, as `response_format`, which holds them in `json_schema`."""
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        return {"type": "json_schema", "json_schema": {name: value for name, value in wanted.items() if name != "type"}}
    return wanted


def named(event: dict[str, Any]) -> bytes:
    """A server-sent event with its name."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


@dataclass
class ResponseStream:
    """One answer being streamed; `response` is its state at any time."""

    asked: dict[str, Any]
    model: str
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")
    item: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    text: str = ""
    ending: ChoiceFinished | None = None
    done: Done | None = None
    sent: int = 0

    def add(self, event: Event) -> None:
        match event:
            case TextDelta(0, text):
                self.text += text
            case ChoiceFinished(0):
                self.ending = event
            case Done():
                self.done = event

    def frames(self, event: Event) -> Iterator[bytes]:
        if not self.sent:
            yield from map(self.numbered, self.beginning())
        self.add(event)
        if isinstance(event, TextDelta) and event.choice == 0 and event.text:
            yield self.numbered({"type": "response.output_text.delta", **self.place(), "delta": event.text, "logprobs": []})
        if isinstance(event, Done):
            yield from map(self.numbered, self.end())

    def beginning(self) -> Iterator[dict[str, Any]]:
        yield {"type": "response.created", "response": self.response()}
        yield {"type": "response.in_progress", "response": self.response()}
        yield {"type": "response.output_item.added", "output_index": 0, "item": {**self.message(), "content": []}}
        yield {"type": "response.content_part.added", **self.place(), "part": self.part()}

    def end(self) -> Iterator[dict[str, Any]]:
        yield {"type": "response.output_text.done", **self.place(), "text": self.text, "logprobs": []}
        yield {"type": "response.content_part.done", **self.place(), "part": self.part()}
        yield {"type": "response.output_item.done", "output_index": 0, "item": self.message()}
        yield {"type": f"response.{self.status}", "response": self.response()}

    def numbered(self, event: dict[str, Any]) -> bytes:
        self.sent += 1
        return named({**event, "sequence_number": self.sent - 1})

    @property
    def status(self) -> str:
        if self.done is None or self.ending is None:
            return "in_progress"
        return "incomplete" if self.ending.reason == "length" else "completed"

    def place(self) -> dict[str, Any]:
        return {"item_id": self.item, "output_index": 0, "content_index": 0}

    def part(self) -> dict[str, Any]:
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": []}

    def message(self) -> dict[str, Any]:
        return {"id": self.item, "type": "message", "role": "assistant", "status": self.status, "content": [self.part()]}

    def response(self) -> dict[str, Any]:
        """The response object. Of the client's fields it repeats only those that the engine honours."""
        asked = self.asked
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": self.status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if self.status == "incomplete" else None,
            "instructions": None,
            "max_output_tokens": asked.get("max_output_tokens"),
            "model": self.model,
            "output": [self.message()] if self.done else [],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": asked.get("temperature"),
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": asked.get("top_p"),
            "truncation": "auto",
            "usage": self.usage(),
            "metadata": {},
        }

    def usage(self) -> dict[str, Any] | None:
        if self.done is None:
            return None
        read, written = self.done.prompt_tokens, self.done.completion_tokens
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        }
