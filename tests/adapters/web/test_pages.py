"""The page's requests and its stream, as its script uses them."""

from __future__ import annotations

import html.parser
import json
import re
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from adapters.web.assets import STATIC
from adapters.web.hub import Hubs
from adapters.web.platform import WebPlatform
from adapters.web.server import serving
from bot.platform import Button, Outgoing
from tests.adapters.conformance import Listener
from tests.adapters.web.browserless import READY, Visitor, page_server

EXPECTED_WORDS = {page: json.loads((STATIC / "texts" / f"{page}.json").read_text("utf-8")) for page in ("en", "zh-CN", "zh-TW")}


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


async def test_the_session_tells_what_the_header_and_the_sliders_show(visitor: Visitor) -> None:
    session = await visitor.session()
    assert session["engine"]["notice"] == READY.notice
    assert session["engine"]["state"] == "ready"
    assert session["settings"] == {"defaults": {"temperature": 1.0, "beams": 1}, "caps": {"temperature": 2.0, "beams": 5}, "missing": []}


async def test_a_question_can_reply_to_an_answer_that_has_no_message_yet(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello", parent="stored-17")
    reply = bot.heard[-1].incoming.reply_to
    assert reply is not None
    assert reply.number == 17
    for name in ("stored-0", "stored-x", "stored-1234567890123456", "stored-", "17"):
        assert (await visitor.ask("Hello", parent=name)).status == 400


async def test_moved_sliders_go_with_the_question(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello", parent="a" * 24, temperature=0.3, beams=4)
    command = bot.heard[-1].incoming.command
    assert command is not None
    assert (command.name, dict(command.options)) == ("ask", {"prompt": "Hello", "temperature": 0.3, "beams": 4})


async def test_a_typed_command_is_one(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("/queue")
    (heard,) = bot.heard
    assert heard.incoming.command is not None
    assert heard.incoming.command.name == "queue"


async def test_the_language_of_the_page_is_handed_over(visitor: Visitor, bot: Listener) -> None:
    visitor.http.headers["Accept-Language"] = "zh-CN"
    await visitor.ask("你好")
    assert bot.heard[-1].incoming.locale == "zh-CN"


async def test_a_page_that_reconnects_resumes_where_it_was(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello")
    place = bot.heard[-1].incoming.place
    (platform,) = bot.attached
    message = await platform.send(place, Outgoing("H", (Button.STOP,), 1, final=False), reply_to="q", nonce="n")
    async with visitor.events() as events:
        begun = await anext(events)
    await platform.edit(place, message, Outgoing("Hon", (Button.STOP,), 1, final=False))
    await platform.edit(place, message, Outgoing("Honk.", (Button.AGAIN,), 1))
    async with visitor.events(after=begun["id"]) as events:
        missed = await anext(events)
    assert (missed["data"]["text"], missed["data"]["final"], missed["data"]["parent"]) == ("Honk.", True, "q")


async def test_nobody_gets_the_events_of_another(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello")
    (platform,) = bot.attached
    await platform.send(bot.heard[-1].incoming.place, Outgoing("For you alone."), reply_to=None, nonce="n")
    async with Visitor(visitor.url) as other:
        assert await other.states() == []


async def test_a_busy_port_takes_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with serving(web.Application(), "127.0.0.1", port) as url:
            assert int(url.rpartition(":")[2]) > port


async def test_a_stop_does_not_wait_for_open_pages(bot: Listener, hubs: Hubs) -> None:
    async with aiohttp.ClientSession() as http:
        async with page_server(bot, WebPlatform(hubs), hubs) as url:
            visitor = Visitor(url)
            await visitor.session()
            stream = await visitor.http.get(f"{url}/api/events")
        assert (await stream.content.read()).startswith(b":")
        await visitor.http.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(url)


class Named(html.parser.HTMLParser):
    """Collects the names of texts that a page uses."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names |= {value for name, value in attributes if name in ("data-text", "data-label", "data-placeholder") and value}


def names_in_use() -> set[str]:
    parser = Named()
    for page in STATIC.glob("*.html"):
        parser.feed(page.read_text("utf-8"))
    scripts = "\n".join(script.read_text("utf-8") for script in STATIC.glob("*.js"))
    return parser.names | set(re.findall(r'\bsay\("([\w-]+)"', scripts))


@pytest.mark.parametrize("language", ["zh-CN", "zh-TW"])
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = EXPECTED_WORDS["en"], EXPECTED_WORDS[language]
    assert english.keys() == other.keys()
    for key, words in english.items():
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", other[key])), key


def test_every_text_that_the_page_names_exists() -> None:
    assert names_in_use() <= EXPECTED_WORDS["en"].keys()


def test_no_text_is_left_over() -> None:
    code = "\n".join(path.read_text("utf-8") for path in [*STATIC.glob("*.js"), *STATIC.glob("*.html"), *STATIC.parent.glob("*.py")])
    unused = {key for key in EXPECTED_WORDS["en"] if f'"{key}"' not in code and not key.startswith("state-")}
    assert unused == set()
