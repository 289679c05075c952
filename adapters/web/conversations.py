"""The addresses of a person's conversations: the list, one of them, its title, its export, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from aiohttp import web
from pydantic import BaseModel, Field

from adapters.requests import text_of
from adapters.web.described import DONE
from adapters.web.forms import stream, validated, whole
from adapters.web.history_view import as_shown
from adapters.web.hub import Hubs
from adapters.web.platform import place_of
from adapters.web.security import Sessions, known
from bot.conversations.listing import TITLE_LENGTH, ConversationList
from bot.store.conversations import Listed
from engine.http_routes import BINARY, JSON, TEXT, Route

PAGE = 50  # conversations of one look at the list
MAX_MESSAGES = 5_000  # of one conversation on the page
KEY = r"{key:[0-9a-f]{16}}"


class Renaming(BaseModel):
    """A new title; an empty one gives the first question back."""

    title: str = Field(max_length=TITLE_LENGTH)


class ConversationPages:
    def __init__(self, conversations: ConversationList, hubs: Hubs, sessions: Sessions) -> None:
        self._conversations = conversations
        self._hubs = hubs
        self._sessions = sessions

    def routes(self) -> list[Route]:
        one, wanted = f"/api/conversations/{KEY}", {"before": {"type": "integer"}, "search": TEXT}
        return [
            Route("GET", "/api/conversations", self.find, "Your conversations.", query=wanted),
            Route("GET", one, self.messages, "The messages of one."),
            Route("PATCH", one, self.rename, "Give one a title.", DONE, {JSON: Renaming}),
            Route("DELETE", one, self.forget, "Delete one.", DONE),
            Route("GET", f"{one}/export", self.export, "One as Markdown, JSON and pictures.", {200: {"application/zip": BINARY}}),
        ]

    async def find(self, request: web.Request) -> web.StreamResponse:
        """The newest, or those before the message `before`; with `search` those that speak of it."""
        place = place_of(known(self._sessions, request))
        before = whole(request.query.get("before", "")) or None
        found = await self._conversations.find(place, request.query.get("search", "")[:200], before, PAGE + 1)
        return web.json_response(listed(found))

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """All of a conversation that the page shows at once: its newest messages. An empty list: there is none of this name."""
        place = place_of(known(self._sessions, request))
        messages = await self._conversations.messages(place, request.match_info["key"], MAX_MESSAGES)
        return web.json_response({"messages": as_shown(messages)})

    async def rename(self, request: web.Request) -> web.StreamResponse:
        person = known(self._sessions, request)
        renaming = validated(Renaming, await text_of(request))
        if not await self._conversations.rename(place_of(person), request.match_info["key"], renaming.title):
            raise web.HTTPNotFound
        return self._changed(person)

    async def forget(self, request: web.Request) -> web.StreamResponse:
        person = known(self._sessions, request)
        await self._conversations.forget(place_of(person), request.match_info["key"])
        return self._changed(person)

    async def export(self, request: web.Request) -> web.StreamResponse:
        """A zip of Markdown, JSON and pictures."""
        place, key = place_of(known(self._sessions, request)), request.match_info["key"]
        with TemporaryDirectory(prefix="gander-export-") as folder:
            file = Path(folder) / "conversation.zip"
            if not await self._conversations.export(place, key, file):
                raise web.HTTPNotFound
            name = f"gander-{datetime.now(UTC):%Y-%m-%d}-{key[:6]}.zip"
            headers = {"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{name}"'}
            response = web.StreamResponse(headers=headers)  # aiohttp's FileResponse looks for the file again when the folder is gone
            await response.prepare(request)
            with await asyncio.to_thread(opened, file) as archive:
                async for chunk in stream(archive):
                    await response.write(chunk)
            await response.write_eof()
            return response

    def _changed(self, person: str) -> web.Response:
        """Other pages of the same person look again."""
        self._hubs.of(person).publish("reload", "reload", {})
        return web.Response(status=204)


def opened(file: Path) -> BinaryIO:
    return file.open("rb")


def listed(found: Sequence[Listed]) -> dict[str, Any]:
    """One look at the list, of which `PAGE + 1` were asked for."""
    return {"conversations": [_shown(each) for each in found[:PAGE]], "more": len(found) > PAGE}


def _shown(each: Listed) -> dict[str, Any]:
    picture = f"/api/pictures/{each.picture}" if each.picture else None
    return {"key": each.key, "title": each.title, "picture": picture, "at": each.begun.isoformat(), "newest": each.newest}
