"""The document that a server gives out has a row for each of its routes, and no other; paths and models become OpenAPI's."""

from __future__ import annotations

import re

import aiohttp
import pytest
from aiohttp import web

from engine.core.worker import Worker
from engine.http_routes import in_path
from engine.server.app import Server
from tests.engine.serving import serving
from tests.engine.tiny_letters import CARD, Letters

ONE_PIECE = {"name": "x", "in": "path", "required": True}


def routes_of(app: web.Application) -> set[tuple[str, str]]:
    """What an application really has; HEAD comes with GET."""
    routes = [route for route in app.router.routes() if route.resource is not None and route.method != "HEAD"]
    return {(route.method.lower(), route.resource.canonical) for route in routes if route.resource is not None}


async def told(url: str, **headers: str) -> set[tuple[str, str]]:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/openapi.json", headers=headers) as response:
        paths = (await response.json())["paths"]
    return {(method, path) for path, operations in paths.items() for method in operations}


async def test_the_engine_s_document_has_each_of_its_routes() -> None:
    app = Server(CARD, Worker(Letters().load, expected_seconds=0.1)).application(None)
    async with serving() as url:
        assert await told(url) == routes_of(app)


async def test_without_the_key_it_is_not_given_out() -> None:
    async with serving(key="opensesame") as url, aiohttp.ClientSession() as http:
        assert (await http.get(f"{url}/openapi.json")).status == 401


async def test_models_are_named_once_and_all_that_is_named_is_there() -> None:
    async with serving() as url, aiohttp.ClientSession() as http, http.get(f"{url}/openapi.json") as response:
        text, given = await response.text(), await response.json()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert {"ChatRequest", "Completion", "ErrorBody", "Message"} <= named == set(given["components"]["schemas"]) & named
    assert given["paths"]["/health"]["get"]["security"] == []
    assert "security" not in given["paths"]["/v1/models"]["get"]


@pytest.mark.parametrize(
    ("path", "address", "schema"),
    [
        ("/a/{x}", "/a/{x}", {"type": "string", "minLength": 1}),
        ("/a/{x:[0-9]{2}}/b", "/a/{x}/b", {"type": "string", "pattern": "^(?:[0-9]{2})$"}),
        ("/{x:.+}", "/{x}", {"type": "string", "pattern": "^(?:.+)$"}),
    ],
)
def test_a_path_is_told_with_what_its_pieces_may_be(path: str, address: str, schema: dict[str, object]) -> None:
    assert in_path(path) == (address, [ONE_PIECE | {"schema": schema}])
