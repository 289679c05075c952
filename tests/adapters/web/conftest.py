"""A real browser for the page's tests, and a whole bot behind the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from adapters.web.hub import Hubs
from adapters.web.pages import UploadLimits
from adapters.web.platform import WebPlatform
from tests.adapters.conformance import Listener
from tests.adapters.web.browserless import Visitor, page_server
from tests.adapters.web.room import Room, room
from tests.bot.rig import ScriptedEngine

NAMES = (
    "chromium-headless-shell",  # opens no windows, so that a page takes a fifth of the processor's time
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
)
MAC = ("Google Chrome", "Chromium", "Microsoft Edge")
PATIENCE_MILLISECONDS = 60_000  # a busy machine is slow, not wrong
MISSING = "NO BROWSER: the web page was NOT tested. Install Chrome, Chromium or Edge, or name one in GANDER_BROWSER."


def find_browser() -> str | None:
    """Any Chrome, Chromium or Edge of this machine."""
    named = os.environ.get("GANDER_BROWSER")
    on_mac = (Path(f"/Applications/{name}.app/Contents/MacOS/{name}") for name in MAC)
    return (
        named or next((path for name in NAMES if (path := shutil.which(name))), None) or next((str(p) for p in on_mac if p.exists()), None)
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if find_browser() is None:
        terminalreporter.section(MISSING, sep="!", red=True, bold=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip(MISSING)
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # root's Chromium has none
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path: Path, engine: ScriptedEngine) -> AsyncIterator[Room]:
    """A room for demos; its `engine` is the test file's own."""
    async with room(tmp_path, engine) as stage:
        yield stage


@pytest.fixture
def bot() -> Listener:
    return Listener()


@pytest.fixture
def hubs() -> Hubs:
    return Hubs()


@pytest.fixture
async def visitor(bot: Listener, hubs: Hubs) -> AsyncIterator[Visitor]:
    async with page_server(bot, WebPlatform(hubs), hubs) as url, Visitor(url) as visitor:
        yield visitor


@pytest.fixture
async def url(bot: Listener) -> AsyncIterator[str]:
    hubs = Hubs()
    async with page_server(bot, WebPlatform(hubs), hubs, limits=UploadLimits(pictures=2, bytes=1_000_000)) as url:
        yield url
