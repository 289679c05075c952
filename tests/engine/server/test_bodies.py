"""No route of the engine's takes a body that is longer than it needs, that grows, or that does not end."""

from __future__ import annotations

import pytest

from engine.connections import Bounds
from engine.server.app import QUESTIONS
from engine.server.bodies import SMALL_BODY
from tests.engine.serving import serving
from tests.every_route import assert_bounded, assert_hung_up, noting_servers

JSON = {"Content-Type": "application/json"}


async def test_each_route_has_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.server.app.BODY_LIMIT_BYTES", 2 * SMALL_BODY)
    with noting_servers(monkeypatch) as served:
        async with serving() as url:
            await assert_bounded(url, served[0], dict.fromkeys(QUESTIONS, 2 * SMALL_BODY), SMALL_BODY, JSON)


async def test_each_route_has_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with noting_servers(monkeypatch) as served:
        async with serving(bounds=Bounds(body_seconds=0.1)) as url:
            await assert_hung_up(url, served[0], JSON)
