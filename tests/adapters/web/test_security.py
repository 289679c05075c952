"""What other sites, other machines and other people can't do."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from adapters.web import security
from adapters.web.assets import STATIC, assets
from adapters.web.hub import Hubs
from adapters.web.platform import WebPlatform
from adapters.web.visitors import TRIES_PER_MINUTE
from tests.adapters.conformance import Listener
from tests.adapters.web.browserless import Visitor, page_server


@pytest.fixture
async def locked() -> AsyncIterator[str]:
    hubs = Hubs()
    async with page_server(Listener(), WebPlatform(hubs), hubs, password="honk honk") as url:
        yield url


async def test_every_response_carries_the_policy(url: str) -> None:
    async with Visitor(url) as visitor:
        for path in ("/", "/static/main.js", "/api/session", "/api/events", "/nothing", "/api/pictures/" + "0" * 64):
            async with visitor.http.get(url + path) as response:
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_needs_no_exception_from_its_policy() -> None:
    """Nothing inline in our HTML; and no script turns text into HTML."""
    for page in STATIC.glob("*.html"):
        html = page.read_text("utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", html), page.name
    for script in STATIC.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script.read_text("utf-8")), (
            script
        )


@pytest.mark.parametrize("page", ["index.html", "login.html", "wall.html"])
def test_a_page_s_policy_names_the_style_and_the_script_that_stand_in_it_and_no_other(page: str) -> None:
    asset = assets()[page]
    for tag in ("script", "style"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", asset.body.decode(), re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
        (allowed,) = re.findall(rf"{tag}-src ([^;]+);", asset.policy)
        assert allowed.split() == ["'self'", *(f"'sha256-{each}'" for each in hashes)]
        assert len(inline) <= 1


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {}, {"Sec-Fetch-Site": "cross-site"}])
async def test_another_site_can_ask_nothing(url: str, bot: Listener, headers: dict[str, str]) -> None:
    async with Visitor(url) as visitor:
        del visitor.http.headers["Origin"]
        for path in ("/api/messages", "/api/buttons", "/login"):
            async with visitor.http.post(url + path, json={}, headers=headers) as response:
                assert response.status == 403
    assert bot.heard == []


async def test_an_open_page_answers_to_loopback_names_only(url: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(url, headers={"Host": "rebound.example:80"}) as response:
        assert response.status == 403
        assert "web.password" in await response.text()


@pytest.mark.parametrize("headers", [{"Host": "["}, {"Origin": "http://["}])
async def test_what_is_no_address_is_refused(url: str, headers: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as http, http.post(url + "/api/buttons", headers=headers) as response:
        assert response.status == 400


async def test_without_a_cookie_there_is_nothing_to_see(url: str) -> None:
    async with aiohttp.ClientSession(headers={"Origin": url}) as http:
        for path in ("/api/messages", "/api/events", "/api/pictures/" + "0" * 64):
            async with http.get(url + path) as response:
                assert response.status == 401


async def test_a_forged_cookie_is_nobody(url: str) -> None:
    async with (
        aiohttp.ClientSession(cookies={security.COOKIE: "0" * 48 + "." + "0" * 64}) as http,
        http.get(f"{url}/api/messages") as response,
    ):
        assert response.status == 401


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(url: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/api/start") as response:
        cookie = response.cookies[security.COOKIE]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"


async def test_looking_at_the_page_makes_nobody_new(url: str) -> None:
    """A Strict cookie is not sent when somebody follows a link from elsewhere: a new one then would lose their history."""
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert security.COOKIE not in response.cookies


async def test_two_visitors_are_two_people(url: str, bot: Listener) -> None:
    async with Visitor(url) as ada, Visitor(url) as ben:
        await ada.ask("Mine")
        await ben.ask("Mine, too")
    authors = {heard.incoming.author.key for heard in bot.heard}
    assert len(authors) == 2


async def test_a_password_lets_in_only_those_who_know_it(locked: str) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Origin": locked}) as http:
        async with http.get(locked) as response:
            assert 'name="password"' in await response.text()
        async with http.get(f"{locked}/api/session") as response:
            assert response.status == 401
        async with http.post(f"{locked}/login", data={"password": "quack"}) as response:
            assert response.url.query["trouble"] == "wrong-password"
        async with http.post(f"{locked}/login", data={"password": "honk honk"}) as response:
            assert 'id="composer"' in await response.text()
        async with http.get(f"{locked}/api/messages") as response:
            assert response.status == 200


async def test_guessing_is_slowed_down(locked: str) -> None:
    async with aiohttp.ClientSession(headers={"Origin": locked}) as http:
        for _ in range(TRIES_PER_MINUTE):
            await http.post(f"{locked}/login", data={"password": "quack"})
        async with http.post(f"{locked}/login", data={"password": "honk honk"}) as response:
            assert response.url.query["trouble"] == "too-many-tries"


def test_a_new_password_ends_old_sessions_but_keeps_the_person() -> None:
    old, new = security.Sessions("old"), security.Sessions("new")
    token = "ab" * 24
    assert old.person_of(old.cookie_for(token)) is not None
    assert new.person_of(old.cookie_for(token)) is None
    assert new.person_of(new.cookie_for(token)) == old.person_of(old.cookie_for(token))


async def test_files_outside_the_page_stay_there(url: str) -> None:
    async with Visitor(url) as visitor:
        for path in ("/static/../pages.py", "/static/%2e%2e/pages.py", "/static/" + str(Path(security.__file__))):
            async with visitor.http.get(f"{url}{path}") as response:
                assert response.status in (403, 404)
