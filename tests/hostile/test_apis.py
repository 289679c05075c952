"""The engine's server and the page's say the truth about themselves in `/openapi.json`, and answer whatever may be drawn from it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import pytest

from engine.core.build import build_engine
from engine.core.worker import Loaded
from tests.adapters.web.room import room
from tests.bot.rig import ScriptedEngine, echo
from tests.engine.serving import serving
from tests.engine.tiny import TinyModel, tiny_card

KEY = "a key that is long enough"
EXAMPLES = [3, pytest.param(300, marks=[pytest.mark.sweep, pytest.mark.timeout(3_600)])]


@pytest.mark.parametrize("examples", EXAMPLES)
async def test_the_engine_answers_whatever_its_document_allows_and_does_not(examples: int) -> None:
    async with serving(tiny_engine, key=KEY, card=tiny_card()) as url:
        asked = await asyncio.to_thread(asked_of, url, examples, {"Authorization": f"Bearer {KEY}"}, {"name": tiny_card().name})
    assert {"POST /v1/chat/completions", "POST /v1/responses", "POST /v1/completions", "GET /health"} <= set(asked)


@pytest.mark.parametrize("examples", EXAMPLES)
async def test_the_page_answers_whatever_its_document_allows_and_does_not(
    examples: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with room(tmp_path, engine) as served:
        wall, _ = await served.start()
        headers = {"Origin": served.url, "Cookie": await cookie_of_a_newcomer(served.url)}
        asked = await asyncio.to_thread(asked_of, served.url, examples, headers, {"code": wall.rpartition("/")[2]})
        assert {"POST /api/messages", "POST /wall/{code}/hidden", "DELETE /api/conversations/{key}"} <= set(asked)
        async with aiohttp.ClientSession() as http, http.get(f"{served.url}/api/start") as response:
            assert response.status == 200
    assert not [record for record in caplog.records if record.name == "aiohttp.server"]  # a traceback for each 500


def asked_of(url: str, examples: int, headers: Mapping[str, str], known: Mapping[str, str]) -> Sequence[str]:
    from tests.hostile.apis import fuzz  # schemathesis takes half a second: not while tests are collected

    return fuzz(url, examples, headers, known)


def tiny_engine() -> Loaded:
    engine = build_engine(TinyModel())
    return Loaded(engine, "cpu", lambda: 1, engine.capacity.rows, engine.preprocessor.prepare)


async def cookie_of_a_newcomer(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/api/start") as response:
        return response.headers["Set-Cookie"].partition(";")[0]
