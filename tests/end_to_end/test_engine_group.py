"""Several devices: how many engines are started on them, with real engines on the CPU."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from bot.config.schema import EngineOptions
from bot.engines.client import EngineClient
from bot.engines.group import arrange, running_engines
from bot.errors import EngineStartError
from engine.api import ChatRequest, Message
from tests.end_to_end.test_engine_child import ready

HELLO = ChatRequest(messages=(Message(role="user", content="Hi"),), max_tokens=3, temperature=0, seed=1)


async def test_two_devices_that_hold_the_model_each_get_an_engine(tiny_home: Path) -> None:
    options = EngineOptions(model="tiny", devices=("cpu", "cpu"), quantize="none")
    assert await arrange(tiny_home, options) == [("cpu",), ("cpu",)]
    async with running_engines(tiny_home, options) as children, aiohttp.ClientSession() as session:
        assert len({child.pid for child in children}) == 2
        answers = []
        for child in children:
            client = EngineClient(session, await child.url(), child.key)
            await ready(client)  # one that loads for long refuses questions
            chunks = [chunk async for chunk in client.stream(HELLO)]
            answers.append("".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices))
        assert answers[0] == answers[1]


async def test_one_device_needs_no_plan(tiny_home: Path) -> None:
    async with running_engines(tiny_home, EngineOptions(model="tiny", devices=("cpu",), quantize="none")) as children:
        assert len(children) == 1


async def test_a_model_that_is_not_there_is_named(tiny_home: Path) -> None:
    with pytest.raises(EngineStartError, match="There is no model 'missing'"):
        await arrange(tiny_home, EngineOptions(model="missing", devices=("cpu", "cpu")))
