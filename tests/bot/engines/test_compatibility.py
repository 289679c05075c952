"""Engines that are not Gander's: recognised, asked only for what they take, and honest about what they lack."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.engines.client import EngineClient
from bot.engines.compatibility import OURS
from bot.errors import EngineRefused
from engine.api import ChatRequest, Message
from tests.adapters.standin import StandIn

REQUEST = ChatRequest(messages=(Message(role="user", content="Hi"),), temperature=0.5, num_beams=3, top_k=40, repetition_penalty=1.2)


async def said(standin: StandIn, model: str = "") -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the server was sent, and what its health says that it lacks."""
    async with standin.serving() as url, aiohttp.ClientSession() as session:
        client = EngineClient(session, url, model=model)
        health = await client.health()
        assert [chunk async for chunk in client.stream(REQUEST)]
    return standin.requests[-1], health.lacks


async def test_a_strict_server_gets_nothing_that_it_would_refuse() -> None:
    sent, lacks = await said(StandIn(strict=True))
    assert (sent["temperature"], sent["model"]) == (0.5, "stand-in")
    assert not OURS & sent.keys()
    assert set(lacks) == OURS


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/version", {"top_k", "repetition_penalty"}),
        ("/get_server_info", {"top_k", "repetition_penalty"}),
        ("/props", {"top_k"}),
        ("/api/version", set()),
    ],
)
async def test_a_known_server_gets_what_it_takes(path: str, kept: set[str]) -> None:
    sent, lacks = await said(StandIn(extra={path: {"version": "1.0"}}))
    assert OURS & sent.keys() == kept
    assert "num_beams" in lacks


async def test_a_model_that_the_server_lacks_is_not_asked_for() -> None:
    with pytest.raises(EngineRefused, match=r"'pocket'.*one of: stand-in"):
        await said(StandIn(), model="pocket")
