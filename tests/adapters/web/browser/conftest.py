"""The page of a bot whose engine says questions back, and a browser that looks at it. Other engines have fixtures of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from engine.api import ChatRequest
from tests.adapters.web.whole import Visit, served, visiting
from tests.bot.rig import ScriptedEngine, asked


def reply(request: ChatRequest) -> Sequence[str]:
    """Says the question back, so that a test sees which one was answered."""
    return ("You ", "asked: ", asked(request))


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = ScriptedEngine(reply)
    engine.gate.set()
    return engine


@pytest_asyncio.fixture(loop_scope="session")
async def url(tmp_path: Path, engine: ScriptedEngine) -> AsyncIterator[str]:
    async with served(tmp_path, engine) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, url: str) -> AsyncIterator[Visit]:
    async with visiting(browser, url) as visit:
        yield visit
