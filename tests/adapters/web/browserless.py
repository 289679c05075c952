"""A person's page without a browser: the requests that the page makes, over real HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

import aiohttp

from adapters.web.hub import Hubs
from adapters.web.pages import Pages, UploadLimits
from adapters.web.platform import WebPlatform
from adapters.web.security import Sessions
from adapters.web.server import application, serving
from bot.answer_settings import AnswerSettings
from bot.answers.explanations import Explanation
from bot.api import Bot
from bot.engines.engine import EngineState
from bot.message import Author, Invocation, Place, Value
from bot.resolve_answer_settings import ResolvedSettings
from bot.store.conversations import Listed
from engine.api import Health
from engine.connections import Bounds

READY = Health(status="ready", model="pocket", device="cpu", memory_bytes=1, rows=2, defaults={"num_beams": 1}, notice="A toy.")


class Nearby:
    """about.Surroundings with one ready engine, nothing set, and words that begin with a slash for commands."""

    caps: Mapping[str, float] = {"beams": 5}

    def parse(self, text: str) -> Invocation | None:
        return Invocation(text[1:].split()[0]) if text.startswith("/") else None

    def explainable(self, answer: int) -> bool:
        return False

    def explanation(self, place: Place, answer: int) -> Explanation | None:
        return None

    async def conversations(self, place: Place, count: int) -> Sequence[Listed]:
        return ()

    async def engines(self) -> tuple[EngineState, ...]:
        return (EngineState("http://127.0.0.1:1", READY, 0),)

    async def resolve(self, place: Place, author: Author, request: Mapping[str, Value], locale: str | None) -> ResolvedSettings:
        return ResolvedSettings(AnswerSettings())


@asynccontextmanager
async def page_server(
    bot: Bot,
    platform: WebPlatform,
    hubs: Hubs,
    password: str | None = None,
    limits: UploadLimits | None = None,
    bounds: Bounds | None = None,
) -> AsyncGenerator[str]:
    """The page of `bot`, served on a free port."""
    limits = limits or UploadLimits()
    sessions = Sessions(password)
    bot.attach(platform)
    app = application(Pages(bot, Nearby(), hubs, sessions, limits), hubs, sessions, limits)
    async with serving(app, "127.0.0.1", 0, bounds) as url:
        yield url


class Visitor:
    """One person with one page: a cookie jar, and the stream of events as it arrives. `like`: the same person as another."""

    def __init__(self, url: str, like: Visitor | None = None) -> None:
        self.url = url
        self.jar: aiohttp.CookieJar = like.jar if like else aiohttp.CookieJar(unsafe=True)
        self.http = aiohttp.ClientSession(cookie_jar=self.jar, headers={"Origin": url})
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.http)
        await self.session()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def session(self) -> dict[str, Any]:
        """As a page begins: a newcomer becomes somebody."""
        return await self.get("/api/start")

    async def get(self, path: str) -> dict[str, Any]:
        async with self.http.get(self.url + path) as response:
            told: dict[str, Any] = await response.json()
            return told

    async def ask(self, text: str, pictures: tuple[bytes, ...] = (), **fields: Any) -> aiohttp.ClientResponse:
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("message", json.dumps({"id": secrets.token_hex(12), "text": text, **fields}))
        for number, picture in enumerate(pictures):
            form.add_field("picture", io.BytesIO(picture), filename=f"{number}.png", content_type="image/png")
        async with self.http.post(f"{self.url}/api/messages", data=form) as response:
            await response.read()
            return response

    async def press(self, button: str, answer: int) -> aiohttp.ClientResponse:
        body = {"id": secrets.token_hex(12), "button": button, "answer": answer}
        async with self.http.post(f"{self.url}/api/buttons", json=body) as response:
            return response

    @asynccontextmanager
    async def events(self, after: str = "") -> AsyncGenerator[AsyncGenerator[dict[str, Any]]]:
        async with self.http.get(f"{self.url}/api/events", params={"after": after}) as response:
            yield read_events(response)

    async def states(self, quiet: float = 0.5) -> list[dict[str, Any]]:
        """Everything that the stream holds at present, until it falls silent."""
        found = []
        async with self.events() as events:
            while event := await or_none(events, quiet):
                found.append(event)
        return found


async def or_none(events: AsyncGenerator[dict[str, Any]], seconds: float) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(seconds):
            return await anext(events)
    except TimeoutError:
        return None


async def read_events(response: aiohttp.ClientResponse) -> AsyncGenerator[dict[str, Any]]:
    """`{"id", "event", "data"}` of each server-sent event; comments are left out."""
    fields: dict[str, Any] = {}
    async for line in response.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name in ("id", "event", "data"):
            fields[name] = json.loads(value) if name == "data" else value
        elif not name and fields:
            yield fields
            fields = {}
