"""The forms in which a JSON schema may be asked for, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import RequestError
from engine.server.response_schema import ANY_OBJECT, schema_of
from engine.server.responses_format import ResponsesFormat
from tests.engine.server.bodies import asked as read
from tests.engine.server.bodies import body


def test_the_wire_s_forms_of_a_schema() -> None:
    schema = {"type": "object", "properties": {}}
    drawer = {"name": "animal", "strict": True, "schema": schema}
    assert read(body(response_format={"type": "json_schema", "json_schema": drawer})).schema == json.dumps(schema)
    assert read(body(response_format={"type": "json_object"})).schema == ANY_OBJECT
    assert read(body(response_format={"type": "text"})).schema is None
    flat = ResponsesFormat(json.dumps({"input": "Hi", "text": {"format": {"type": "json_schema", **drawer}}}).encode())
    assert flat.request.response_format is not None
    assert schema_of(flat.request.response_format.type, flat.request.response_format.json_schema) == json.dumps(schema)


@pytest.mark.parametrize(
    "wanted",
    [
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        {"response_format": {"type": "grammar"}},
        {"response_format": {"type": "json_object"}, "num_beams": 3},
    ],
)
def test_what_can_not_be_asked_for_is_named(wanted: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        read(body(**wanted))
    assert caught.value.param == "response_format"
