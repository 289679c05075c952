"""Requests as bytes, and what becomes of them."""

from __future__ import annotations

import json

from engine.images.decode import Limits
from engine.models.card import Card, Generation, Template
from engine.request import Request
from engine.server.requests import engine_request, parse_request

PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # 1 × 1


PICTURE = {"type": "image_url", "image_url": {"url": PIXEL}}


def body(content: object = "Hi", **fields: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": content}], **fields}).encode()


CARD = Card(
    name="toy",
    architecture="pocket",
    context_length=64,
    template=Template(user="{content}", assistant="{content}", answer=""),
    generation=Generation(temperature=0.0, top_k=7, max_tokens=20),
)


def asked(data: bytes, limits: Limits = Limits()) -> Request:  # noqa: B008 - frozen
    return engine_request(parse_request(data), CARD, limits)
