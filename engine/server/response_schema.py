"""Reads the JSON schema that a client wants its answer in. It is compiled elsewhere (`engine.grammar`)."""

from __future__ import annotations

import json
from typing import Any

from engine.errors import RequestError

ANY_OBJECT = '{"type": "object"}'


def schema_of(kind: str, json_schema: Any) -> str | None:
    """The JSON schema that a `response_format` asks for; None for plain text. Raises RequestError."""
    match kind:
        case "text":
            return None
        case "json_object":
            return ANY_OBJECT
        case "json_schema" if isinstance(json_schema, dict) and isinstance(json_schema.get("schema"), dict):
            return json.dumps(json_schema["schema"])
        case "json_schema":
            raise RequestError("Send the schema as an object in `json_schema.schema`.", "response_format")
    raise RequestError("This engine writes text, json_object and json_schema.", "response_format")
