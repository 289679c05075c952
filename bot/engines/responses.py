"""Parses what any OpenAI-compatible server sends: the text, how the answer ended, and how many tokens it took.

What follows the protocol is parsed as it is. Of the rest, missing fields, nulls and other spellings are accepted here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from engine.api import Chunk, ChunkChoice, Delta, ErrorDetail, Usage

LONGEST_MESSAGE: Final = 500  # characters of a server's sentence that people are shown

# How an answer ended, in other servers' words; whatever isn't here is an end like any other.
ENDS: Final[Mapping[str, str]] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "filtered": "content_filter",
}

# Each server says in its own words that a conversation is too long. OpenAI and Gander have a code for it, llama.cpp a type.
_TOO_LONG: Final = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum (context|model|input|prompt) length|context (length|size|window)"
    r"|(prompt|input|request) (is|was) too long|too many (input |prompt )?tokens|longer than the model'?s",
    re.IGNORECASE,
)


def chunk_of(data: bytes) -> Chunk | ErrorDetail | None:
    """One event of a stream; None: something that is neither part of an answer nor an error."""
    try:
        return Chunk.model_validate_json(data)
    except ValidationError:
        pass
    told = _object(data)
    if told is None:
        return None
    detail = _detail(told)
    return detail if detail is not None else _chunk(told)


def error_of(body: bytes) -> ErrorDetail | None:
    """The error that a body tells of, whatever form it has; None: it tells of none."""
    told = _object(body)
    return _detail(told) if told is not None else None


def models_of(body: bytes) -> tuple[str, ...] | None:
    """The names in a list of models, in its order; None: the body is no such list."""
    told = _object(body)
    found = told.get("data", told.get("models", ())) if told is not None else ()
    if told is None or not ({"data", "models"} & told.keys()) or not isinstance(found, list | None):
        return None
    names = (entry.get("id") or entry.get("name") if isinstance(entry, dict) else None for entry in found or ())
    return tuple(str(name) for name in names if name)


def too_long(detail: ErrorDetail) -> bool:
    """Whether the conversation has more tokens than the model can read."""
    return any(_TOO_LONG.search(words) for words in (detail.code or "", detail.type, detail.message))


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _detail(told: Mapping[str, Any]) -> ErrorDetail | None:
    """`{"error": {…}}` or `{"error": "…"}`; vLLM's `{"object": "error", …}`; FastAPI's `{"detail": …}`."""
    error = told.get("error") or (told if told.get("object") == "error" else None) or told.get("detail")
    if not error:
        return None
    fields = error if isinstance(error, dict) else {"message": error if isinstance(error, str) else json.dumps(error)}
    text = {name: str(fields[name]) for name in ("message", "type", "param", "code") if fields.get(name) is not None}
    message = text.get("message", "The server gave no reason.")[:LONGEST_MESSAGE]
    return ErrorDetail(message=message, type=text.get("type", ""), param=text.get("param"), code=text.get("code"))


def _chunk(told: Mapping[str, Any]) -> Chunk | None:
    choices = told.get("choices")
    if not isinstance(choices, list | None) or not ({"choices", "usage"} & told.keys()):
        return None
    read = tuple(_choice(choice) for choice in choices or () if isinstance(choice, dict))
    return Chunk(id="", created=0, model=str(told.get("model") or ""), choices=read, usage=_usage(told.get("usage")))


def _choice(choice: Mapping[str, Any]) -> ChunkChoice:
    """`message` in the place of `delta`: a server that does not stream says all at once."""
    said = choice.get("delta") or choice.get("message") or {}
    words = "".join(_words(said.get(name)) for name in ("content", "refusal")) if isinstance(said, dict) else ""
    end = choice.get("finish_reason")
    finish = ENDS.get(str(end), "stop") if end else None
    index = choice.get("index")
    return ChunkChoice.model_validate(
        {"index": index if isinstance(index, int) else 0, "delta": Delta(content=words or None), "finish_reason": finish}
    )


def _words(content: object) -> str:
    """A text, or a list of parts of which those that are text count."""
    if isinstance(content, list):
        return "".join(_words(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(told: object) -> Usage | None:
    if not isinstance(told, dict):
        return None
    prompt, answer = (count if isinstance(count, int) else 0 for count in (told.get("prompt_tokens"), told.get("completion_tokens")))
    return Usage(prompt_tokens=prompt, completion_tokens=answer, total_tokens=prompt + answer) if prompt or answer else None
