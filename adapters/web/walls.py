"""The walls of demos: live pages for a projector, each behind an unguessable code. Reading is all that a code allows.

A wall is looked at a few times a second, and only while somebody watches it; what changed goes to the hub that all its
pages follow, so that a page that was away gets the latest state of everything, and memory is bounded however long it runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import structlog
from aiohttp import web
from pydantic import BaseModel, Field

from adapters.requests import same_secret, text_of
from adapters.web.assets import assets, respond
from adapters.web.described import DONE, DRAWING, EVENTS, FILE, HTML, PICTURE
from adapters.web.event_streams import stream_events
from adapters.web.forms import locale_of, validated
from adapters.web.hub import Hub
from adapters.web.wall_updates import WallUpdates
from bot.demo.wall import Walls
from bot.errors import AnswerLost, EngineRefused, EngineUnavailable, Refusal
from bot.insight.explainer import Explainer
from bot.insight.wall_sheet import wall_sheet
from bot.store.demos import Demo
from bot.texts import Texts, choose_language
from engine.http_routes import JSON, Route

LOOK_SECONDS = 0.25
MAX_FOLLOWERS = 50  # pages of one wall
CODE = r"{code:[\w-]{16,64}}"
WALL_PAGE = "wall.html"

log = structlog.get_logger(__name__)

Export = Callable[[Demo], Awaitable[tuple[Path, ...]]]


class Hiding(BaseModel):
    """The presenter's request to hide an entry. `key` is the presenter's secret."""

    question: int
    hidden: bool
    key: Annotated[str, Field(max_length=100)]


class Showing(BaseModel):
    """The presenter's request to show where answers looked, or their pictures again."""

    maps: bool
    key: Annotated[str, Field(max_length=100)]


class WallPages:
    """The HTTP routes of walls, and a task for each wall that is watched. `close` ends the tasks."""

    def __init__(self, walls: Walls, export: Export, explainer: Explainer, texts: Texts) -> None:
        self._walls = walls
        self._export = export
        self._explainer, self._texts = explainer, texts
        self._with_maps: set[str] = set()  # codes of walls whose presenter wants maps
        self._hubs: dict[str, Hub] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    def routes(self) -> list[Route]:
        wall = f"/wall/{CODE}"
        return [
            Route("GET", wall, self.page, "A demo's wall.", HTML, known=False),
            Route("GET", f"{wall}/events", self.events, "What changes on it, as it does.", EVENTS, known=False),
            Route("GET", f"{wall}/pictures/{{sha256:[0-9a-f]{{64}}}}", self.picture, "A picture that it shows.", PICTURE, known=False),
            Route("POST", f"{wall}/hidden", self.hide, "Hide a question, or show it again.", DONE, {JSON: Hiding}, known=False),
            Route("POST", f"{wall}/maps", self.show_maps, "Show where answers looked, or not.", DONE, {JSON: Showing}, known=False),
            Route("GET", f"{wall}/maps/{{answer:[0-9]{{1,15}}}}", self.maps, "Where an answer looked.", DRAWING, known=False),
            Route("GET", f"{wall}/export/{{key}}/{{name}}", self.export, "The demo as a file.", FILE, known=False),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        await self._demo(request)
        await asyncio.to_thread(assets)
        return respond(request, WALL_PAGE, {"Cache-Control": "no-store"})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `entry` and `gone` for questions, `now` for the rest."""
        demo = await self._demo(request)
        hub = self._hubs.setdefault(demo.code, Hub())
        if hub.followers >= MAX_FOLLOWERS:
            raise web.HTTPTooManyRequests
        if demo.code not in self._looking:
            self._looking[demo.code] = asyncio.create_task(self._watch(demo.code, hub))
            self._looking[demo.code].add_done_callback(report)
        return await stream_events(request, hub)

    async def picture(self, request: web.Request) -> web.StreamResponse:
        demo, sha256 = await self._demo(request), request.match_info["sha256"]
        if not await self._walls.shows_picture(demo, sha256):
            raise web.HTTPNotFound
        return web.FileResponse(self._walls.picture(sha256), headers={"Cache-Control": "private, max-age=3600"})

    async def hide(self, request: web.Request) -> web.StreamResponse:
        demo, wish = await self._demo(request), validated(Hiding, await text_of(request))
        check_key(demo, wish.key)
        if not await self._walls.hide(demo, wish.question, wish.hidden):
            raise web.HTTPNotFound
        return web.Response(status=204)

    async def show_maps(self, request: web.Request) -> web.StreamResponse:
        demo, wish = await self._demo(request), validated(Showing, await text_of(request))
        check_key(demo, wish.key)
        (self._with_maps.add if wish.maps else self._with_maps.discard)(demo.code)
        return web.Response(status=204)

    async def maps(self, request: web.Request) -> web.StreamResponse:
        """While the presenter wants it: an answer's words, each on its picture where it looked; of a growing one those that it has.

        Not found where nobody can say.
        """
        demo, answer = await self._demo(request), int(request.match_info["answer"])
        if demo.code not in self._with_maps or not await self._walls.shows_answer(demo, answer):
            raise web.HTTPNotFound
        try:
            growing = await self._explainer.so_far(answer)
            how = growing or await self._explainer.how(answer)
        except (Refusal, EngineRefused, EngineUnavailable, AnswerLost):
            growing = how = None
        language = choose_language(locale_of(request))
        drawn = await asyncio.to_thread(wall_sheet, how.explained, self._texts, language) if how else None
        if drawn is None:
            raise web.HTTPNotFound
        kept = "no-store" if growing else "private, max-age=3600"
        return web.Response(body=drawn, content_type="image/svg+xml", headers={"Cache-Control": kept})

    async def export(self, request: web.Request) -> web.StreamResponse:
        """The demo as a file, for the presenter: it is written anew for each download."""
        demo = await self._demo(request)
        check_key(demo, request.match_info["key"])
        found = next((file for file in await self._export(demo) if file.name == request.match_info["name"]), None)
        if found is None:
            raise web.HTTPNotFound
        return web.FileResponse(found, headers={"Content-Disposition": "attachment"})

    async def close(self) -> None:
        for hub in self._hubs.values():
            hub.close()
        for task in self._looking.values():
            task.cancel()
        await asyncio.gather(*self._looking.values(), return_exceptions=True)

    async def _demo(self, request: web.Request) -> Demo:
        demo = await self._walls.find(request.match_info["code"])
        if demo is None:
            raise web.HTTPNotFound(text="There is no wall here.")
        return demo

    async def _watch(self, code: str, hub: Hub) -> None:
        """Send the wall's changes to its pages until nobody watches any more."""
        updates = WallUpdates(hub)
        try:
            while not updates.idle:
                demo = await self._walls.find(code)
                if demo is None:
                    return
                updates.send_changes(await self._walls.read(demo), maps=code in self._with_maps)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            del self._looking[code], self._hubs[code]
            hub.close()


def report(watch: asyncio.Task[None]) -> None:
    """The pages of a wall whose watch fails come back by themselves, to a new one; why it failed is for the log."""
    if not watch.cancelled() and (error := watch.exception()):
        log.error("wall_lost", reason=str(error), exc_info=error)


def check_key(demo: Demo, key: str) -> None:
    """Raises HTTPForbidden for whoever is not the presenter."""
    if not same_secret(key, demo.key):
        raise web.HTTPForbidden
