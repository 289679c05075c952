"""What the bot counts, in Prometheus' form, for those who watch it: with the page's password, where there is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from adapters.requests import same_secret
from engine.http_routes import TEXT, Route

PLATFORMS = ("telegram",)  # whose updates can be unreadable: shown from the start

Unreadable = Callable[[], Awaitable[Mapping[str, int]]]


class MetricsPage:
    """`GET /metrics`. `unreadable`: how many updates are kept that could not be read, by platform."""

    def __init__(self, unreadable: Unreadable, password: str | None) -> None:
        self._unreadable = unreadable
        self._password = password

    def routes(self) -> list[Route]:
        return [Route("GET", "/metrics", self.show, "What is counted, for Prometheus.", {200: {"text/plain": TEXT}}, known=False)]

    async def show(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if self._password is not None and not same_secret(given, f"Bearer {self._password}"):
            raise web.HTTPUnauthorized(text="Give the page's password as a bearer token.")
        registry = CollectorRegistry()
        gauge = Gauge("gander_updates_unreadable", "Updates that are kept because they could not be read.", ["platform"], registry=registry)
        found = await self._unreadable()
        for platform in {*PLATFORMS, *found}:
            gauge.labels(platform).set(found.get(platform, 0))
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
