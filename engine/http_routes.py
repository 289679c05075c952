"""A server's table of routes: what it answers and the OpenAPI document that describes it come of the same rows.

The engine's server and the page use it; it knows neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel

Schema = Mapping[str, Any] | type[BaseModel]  # of JSON, by JSON Schema or by a model
Content = Mapping[str, Schema]  # media type → what it holds

JSON: Final = "application/json"
ANY_OBJECT: Final[Schema] = {"type": "object"}
TEXT: Final[Schema] = {"type": "string"}
EVENT: Final[Schema] = {  # of a text/event-stream: each
    "type": "object",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
}
BINARY: Final[Schema] = {"type": "string", "format": "binary"}
VERSION: Final = "3.1.0"  # of OpenAPI
DOCUMENT: Final = "/openapi.json"


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `path` is aiohttp's (`/v1/models/{name:.+}`), `answers` are those that are no refusals, by status.

    `known`: it asks who you are. `name`: aiohttp's, of the route.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, Content] = field(default_factory=lambda: {200: {JSON: ANY_OBJECT}})
    body: Content = field(default_factory=dict)
    query: Mapping[str, Schema] = field(default_factory=dict)
    known: bool = True
    name: str | None = None

    def definition(self) -> web.RouteDef:
        return web.route(self.method, self.path, self.handler, name=self.name)


@dataclass(frozen=True, slots=True)
class Described:
    """What a document says beside its routes. `refusal`: the bodies of every 4XX and 5XX; `security`: how one says who one is."""

    title: str
    version: str
    summary: str
    refusal: Content
    security: Mapping[str, Any]


def document(described: Described, routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of a table of routes."""
    schemas: dict[str, Any] = {}
    paths: dict[str, dict[str, Any]] = {}
    refusals = {status: {"description": said, "content": content(described.refusal, schemas)} for status, said in REFUSALS.items()}
    for route in routes:
        address, parameters = in_path(route.path)
        operation = described_operation(route, parameters, schemas, refusals)
        paths.setdefault(address, {})[route.method.lower()] = operation
    return {
        "openapi": VERSION,
        "info": {"title": described.title, "version": described.version, "summary": described.summary},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": dict(described.security)},
        "security": [{name: []} for name in described.security],
    }


REFUSALS: Final = {"4XX": "Refused, and why.", "503": "Not now."}


def described_operation(
    route: Route, parameters: list[dict[str, Any]], schemas: dict[str, Any], refusals: Mapping[str, Any]
) -> dict[str, Any]:
    asked = [{"name": name, "in": "query", "schema": schema(each, schemas)} for name, each in route.query.items()]
    answers = {str(status): {"description": route.summary, "content": content(each, schemas)} for status, each in route.answers.items()}
    body = {"requestBody": {"required": True, "content": content(route.body, schemas)}} if route.body else {}
    free: dict[str, Any] = {} if route.known else {"security": []}
    return {"summary": route.summary, "parameters": parameters + asked, **body, "responses": {**refusals, **answers}, **free}


def content(given: Content, schemas: dict[str, Any]) -> dict[str, Any]:
    return {media_type: {"schema": schema(each, schemas)} for media_type, each in given.items()}


def schema(given: Schema, schemas: dict[str, Any]) -> dict[str, Any]:
    """In place, or a reference to one of `schemas`, to which a model is added."""
    if not isinstance(given, type):
        return dict(given)
    found = given.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(found.pop("$defs", {}))
    schemas[given.__name__] = found
    return {"$ref": f"#/components/schemas/{given.__name__}"}


def in_path(path: str) -> tuple[str, list[dict[str, Any]]]:
    """aiohttp's path → OpenAPI's, and its parameters: `/c/{key:[0-9a-f]{16}}` → `/c/{key}`."""
    address, parameters = "", []
    for literal, name, pattern in pieces(path):
        address += literal
        if name:
            address += f"{{{name}}}"
            of_a_piece = {"type": "string", "pattern": f"^(?:{pattern})$"} if pattern else {"type": "string", "minLength": 1}
            parameters.append({"name": name, "in": "path", "required": True, "schema": of_a_piece})
    return address, parameters


def pieces(path: str) -> Iterable[tuple[str, str, str]]:
    """What stands before each variable piece, its name and its pattern, whose own braces are in pairs; last the rest, without a name."""
    start = depth = 0
    for place, letter in enumerate(path):
        if letter == "{":
            depth += 1
            if depth == 1:
                literal, start = path[start:place], place + 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                name, _, pattern = path[start:place].partition(":")
                yield literal, name, pattern
                start = place + 1
    yield path[start:], "", ""
