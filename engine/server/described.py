"""What the engine's OpenAPI document says beside its table of routes: bodies that no model of ours describes, errors, the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.api import ErrorBody, Health
from engine.explanation import ExplainedAnswer
from engine.http_routes import ANY_OBJECT, EVENT, JSON, Content, Described, Schema

SAMPLING: Final[Mapping[str, Schema]] = {
    "model": {"type": "string"},
    "stream": {"type": "boolean"},
    "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
    "top_p": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
    "seed": {"type": ["integer", "null"]},
}
PART: Final[Schema] = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"enum": ["input_text", "input_image", "output_text"]},
        "text": {"type": "string"},
        "image_url": {"type": "string", "description": "A data URL: the engine fetches nothing."},
    },
}
ITEM: Final[Schema] = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {
        "type": {"const": "message"},
        "role": {"enum": ["user", "assistant", "system", "developer"]},
        "content": {"anyOf": [{"type": "string"}, {"type": "array", "items": PART}]},
    },
}
RESPONSES: Final[Schema] = {
    "type": "object",
    "required": ["input"],
    "properties": {
        **SAMPLING,
        "input": {"anyOf": [{"type": "string"}, {"type": "array", "items": ITEM, "minItems": 1}]},
        "instructions": {"type": ["string", "null"]},
        "max_output_tokens": {"type": ["integer", "null"], "minimum": 1},
    },
}
COMPLETIONS: Final[Schema] = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        **SAMPLING,
        "prompt": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}]},
        "max_tokens": {"type": ["integer", "null"], "minimum": 1},
    },
}
HEALTH: Final[Mapping[int, Content]] = {200: {JSON: Health}, 503: {JSON: Health}}
EXPLAINED: Final[Mapping[int, Content]] = {200: {JSON: ExplainedAnswer}}
DESCRIBED: Final = Described(
    title="Gander's engine",
    version="1",
    summary="Pictures and words in, tokens out. Unknown fields are ignored, so that OpenAI's clients work unchanged.",
    refusal={JSON: ErrorBody},
    security={"key": {"type": "http", "scheme": "bearer", "description": "Where the engine was started with a key."}},
)


def answer(model: Schema = ANY_OBJECT) -> Mapping[int, Content]:
    """A whole answer, or its events as they come, whichever was asked for."""
    return {200: {JSON: model, "text/event-stream": EVENT}}
