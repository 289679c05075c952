"""The page's files as a far-away browser gets them: few, small, kept, and nothing before it is needed."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from adapters.web.assets import STATIC, assets
from adapters.web.hub import Hubs
from adapters.web.platform import WebPlatform
from tests.adapters.conformance import Listener
from tests.adapters.web.browserless import page_server
from tests.adapters.web.whole import started

PAGES = sorted(page.name for page in STATIC.glob("*.html"))


@pytest.fixture
async def url() -> AsyncIterator[str]:
    hubs = Hubs()
    async with page_server(Listener(), WebPlatform(hubs), hubs) as url:
        yield url


@pytest.mark.parametrize("page", PAGES)
def test_every_address_in_a_page_carries_the_version_of_what_is_there(page: str) -> None:
    html = assets()[page].body.decode()
    named = re.findall(r'"/static/([^"?]+)(?:\?v=([^"]+))?"', html)
    assert named
    assert [(name, version) for name, version in named if assets()[name].version != version] == []
    assert 'rel="stylesheet"' not in html
    assert set(re.findall(r'href="#(icon-[\w-]+)"', html)) <= set(re.findall(r'id="(icon-[\w-]+)"', html))


def test_every_icon_that_a_script_draws_is_there() -> None:
    icons = set(re.findall(r'id="icon-([\w-]+)"', (STATIC / "icons.svg").read_text("utf-8")))
    scripts = "\n".join(script.read_text("utf-8") for script in STATIC.glob("*.js"))
    assert set(re.findall(r'\b(?:icon|iconButton)\("([\w-]+)"', scripts)) | {"left", "right", "send", "stop"} <= icons


async def test_files_are_compressed_for_whoever_takes_that_and_kept_for_good_under_their_version(url: str) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        version = assets()["main.js"].version
        async with http.get(f"{url}/static/main.js", params={"v": version}, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Content-Encoding"] == "gzip"
            assert "immutable" in packed.headers["Cache-Control"]
            body = gzip.decompress(await packed.read())
        async with http.get(f"{url}/static/main.js", headers={"Accept-Encoding": "identity"}) as plain:
            assert "Content-Encoding" not in plain.headers
            assert plain.headers["Cache-Control"] == "no-cache"
            assert await plain.read() == body
        async with http.get(f"{url}/static/main.js", headers={"If-None-Match": plain.headers["ETag"]}) as known:
            assert known.status == 304
        async with http.get(f"{url}/static/nothing.js") as missing:
            assert missing.status == 404


async def test_what_the_page_is_told_is_compressed_too(url: str) -> None:
    async with aiohttp.ClientSession(headers={"Accept-Encoding": "gzip"}) as http, http.get(f"{url}/api/start") as told:
        assert told.headers["Content-Encoding"] == "gzip"
        assert "limits" in await told.json()


@pytest.mark.asyncio(loop_scope="session")
async def test_a_page_is_usable_after_three_journeys(browser: Browser) -> None:
    """The page with its style; its script; what it begins with, its words among it. Maths and highlighting wait until they are needed."""
    hubs = Hubs()
    async with page_server(Listener(), WebPlatform(hubs), hubs) as url:
        page = await (await browser.new_context(locale="en")).new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.partition("?")[0].removeprefix(url)))
        await page.goto(url)
        await started(page)
        await expect(page.locator("#welcome")).to_be_visible()
        await page.context.close()
    assert [name for name in asked if name != "/static/goose.svg"][:3] == ["/", "/static/main.js", "/api/start"]
    assert not [name for name in asked if "vendor" in name or "icons" in name or "texts" in name]
