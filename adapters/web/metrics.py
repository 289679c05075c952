"""The bot's figures for those who watch it: with the page's password, where there is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from adapters.requests import same_secret
from bot.metrics import MEDIA_TYPE, Metrics
from engine.http_routes import TEXT, Route

PLATFORMS = ("telegram",)  # whose updates can be unreadable: shown from the start

Measure = Callable[[], Awaitable[Metrics]]
Unreadable = Callable[[], Awaitable[Mapping[str, int]]]


class MetricsPage:
    """`GET /metrics`. `measure`: the bot's figures as they are now; `unreadable`: updates that could not be read, by platform."""

    def __init__(self, measure: Measure, unreadable: Unreadable, password: str | None) -> None:
        self._measure = measure
        self._unreadable = unreadable
        self._password = password

    def routes(self) -> list[Route]:
        return [Route("GET", "/metrics", self.show, "What is counted, for Prometheus.", {200: {"text/plain": TEXT}}, known=False)]

    async def show(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if self._password is not None and not same_secret(given, f"Bearer {self._password}"):
            raise web.HTTPUnauthorized(text="Give the page's password as a bearer token.")
        figures = await self._measure()
        figures.unreadable(dict.fromkeys(PLATFORMS, 0) | dict(await self._unreadable()))
        return web.Response(body=figures.exposition(), headers={"Content-Type": MEDIA_TYPE})
