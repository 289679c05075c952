"""Reads what form a client wants its answer in. Without llguidance, which only the device's process needs."""

from __future__ import annotations

import json
from typing import Any

from engine.errors import RequestError

ANY_OBJECT = '{"type": "object"}'


def schema_of(kind: str, drawer: Any) -> str | None:
    """The JSON schema that a `response_format` asks for; None for plain text. Raises RequestError."""
    match kind:
        case "text":
            return None
        case "json_object":
            return ANY_OBJECT
        case "json_schema" if isinstance(drawer, dict) and isinstance(drawer.get("schema"), dict):
            return json.dumps(drawer["schema"])
        case "json_schema":
            raise RequestError("Send the schema as an object in `json_schema.schema`.", "response_format")
    raise RequestError("This engine writes text, json_object and json_schema.", "response_format")
