"""What the page's OpenAPI document says beside its table of routes: the kinds of answers, refusals, and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.web.security import COOKIE
from bot import __version__
from engine.http_routes import ANY_OBJECT, BINARY, EVENT, JSON, TEXT, Content, Described

HTML: Final[Mapping[int, Content]] = {200: {"text/html": TEXT}}
EVENTS: Final[Mapping[int, Content]] = {200: {"text/event-stream": EVENT}}
PICTURE: Final[Mapping[int, Content]] = {200: {"image/png": BINARY, "image/jpeg": BINARY}}
DRAWING: Final[Mapping[int, Content]] = {200: {"image/svg+xml": BINARY}}
FILE: Final[Mapping[int, Content]] = {200: {"*/*": BINARY}}
DONE: Final[Mapping[int, Content]] = {204: {}}
SEE_OTHER: Final[Mapping[int, Content]] = {303: {}}
DESCRIBED: Final = Described(
    title="Gander's page",
    version=__version__,
    summary="What the page's own script asks. What changes something must come from the page's own address (Origin).",
    refusal={"text/plain": TEXT, JSON: ANY_OBJECT},
    security={
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "Given out by /login, without a password by /api/start.",
        }
    },
)
