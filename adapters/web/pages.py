"""The page's addresses: its files, who you are, your history and pictures, and the stream of events."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from adapters.web.about import Surroundings, engine_view, knobs_view
from adapters.web.forms import Press, Unacceptable, asked, fresh_start, locale_of, pressed, read_question, validated, whole
from adapters.web.history import STORED, as_shown
from adapters.web.hub import Hubs
from adapters.web.insight import insight_view
from adapters.web.platform import place_of
from adapters.web.security import CODE_SECONDS, Sessions, known
from adapters.web.streams import STATIC, stream_events
from bot.message import Incoming
from bot.ports import Bot, Button

MAX_FOLLOWERS = 24  # open pages of one person
MAX_HISTORY = 2000
ADDRESS = re.compile(r"/c/[0-9a-f]{16}")  # of a conversation
PICTURES = frozenset({".png", ".jpg"})
STOP_LOOKS, STOP_PAUSE = 50, 0.1  # seconds between looks whether an answer has stopped
RECENT = 50  # messages among which a new one is looked for


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one question may carry: `bytes` counts all its pictures together."""

    pictures: int = 8
    bytes: int = 64_000_000


class Pages:
    def __init__(self, bot: Bot, surroundings: Surroundings, hubs: Hubs, sessions: Sessions, limits: UploadLimits) -> None:
        self._bot = bot
        self._surroundings = surroundings
        self._hubs = hubs
        self._sessions = sessions
        self._limits = limits

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/", self.index),
            web.get(r"/c/{conversation:[0-9a-f]{16}}", self.index),
            web.post("/login", self.login),
            web.post("/logout", self.logout),
            web.post("/api/devices", self.device),
            web.get("/api/session", self.session),
            web.get("/api/messages", self.history),
            web.post("/api/messages", self.ask),
            web.post("/api/buttons", self.press),
            web.get("/api/pictures/{sha256:[0-9a-f]{64}}", self.picture),
            web.get("/api/files/{token}/{name}", self.file),
            web.get(r"/api/insights/{answer:\d{1,15}}", self.insight),
            web.get("/api/events", self.events),
            web.static("/static", STATIC),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        known = self._sessions.open or self._sessions.person(request)
        return web.FileResponse(STATIC / ("index.html" if known else "login.html"))

    async def login(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        code = str(form.get("code", "")).strip()
        trouble = self._sessions.trouble_with(str(form.get("password", "")), request.remote or "")
        token = self._sessions.accept(code) if code and not trouble else None
        if code and token is None:
            trouble = trouble or "wrong-code"
        to = str(form.get("to", ""))
        back = to if ADDRESS.fullmatch(to) else "/"
        if trouble:
            raise web.HTTPSeeOther(f"{back}?trouble={trouble}")
        response = web.Response(status=303, headers={"Location": back})
        self._sessions.give(request, response, token)
        return response

    async def logout(self, request: web.Request) -> web.StreamResponse:
        response = web.Response(status=303, headers={"Location": "/"})
        self._sessions.sign_out(request, response)
        return response

    async def device(self, request: web.Request) -> web.StreamResponse:
        """A code for one more device of this person. Without a password there is no other device: the page answers to loopback alone."""
        known(self._sessions, request)
        if self._sessions.open:
            raise web.HTTPNotFound
        return web.json_response({"code": self._sessions.offer(request), "seconds": CODE_SECONDS})

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Who you are and what can be set. A newcomer gets the cookie here and asks again."""
        person = self._sessions.person(request)
        if person is None and not self._sessions.open:
            raise web.HTTPUnauthorized
        if person is None:
            response = web.json_response({"new": True})
            self._sessions.give(request, response)
            return response
        return web.json_response(
            {
                "engine": engine_view(await self._surroundings.engines()),
                "knobs": await knobs_view(self._surroundings, person, locale_of(request)),
                "signed_in": not self._sessions.open,
                "limits": {"pictures": self._limits.pictures, "bytes": self._limits.bytes},
            }
        )

    async def history(self, request: web.Request) -> web.StreamResponse:
        person = known(self._sessions, request)
        limit = min(whole(request.query.get("limit", "")) or 200, MAX_HISTORY)
        messages = await self._bot.history(place_of(person), limit + 1)
        return web.json_response({"messages": as_shown(messages[-limit:]), "more": len(messages) > limit})

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Take a question. The reply shows it as it was stored; null = it was a command, or refused (the reason is an event)."""
        person = known(self._sessions, request)
        try:
            question, attachments = await read_question(request, self._limits.pictures)
        except web.HTTPRequestEntityTooLarge as error:
            raise Unacceptable("error-too-large", megabytes=self._limits.bytes // 1_000_000) from error
        command = self._surroundings.parse(question.text)
        if command is None and question.parent is None and question.instead_of is None:
            await self._hear(fresh_start(question, person, locale_of(request)))
        await self._hear(asked(question, attachments, person, command, locale_of(request)))
        shown = await self._tell(person, question.id)
        return web.json_response({"message": shown, "command": command is not None})

    async def press(self, request: web.Request) -> web.StreamResponse:
        person = known(self._sessions, request)
        press = validated(Press, await request.text())
        await self._hear(pressed(press, person, locale_of(request)))
        if press.button is Button.STOP:
            await self._see_stopped(person, press.answer)
        else:
            await self._tell(person, press.id)
        return web.Response(status=204)

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """A picture that this person showed: its name never changes its content, so that it may be kept by the browser."""
        path = await self._bot.picture(place_of(known(self._sessions, request)), request.match_info["sha256"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "private, max-age=31536000, immutable"})

    async def insight(self, request: web.Request) -> web.StreamResponse:
        """How an answer to this person came about; refused when it is not known any more."""
        insight = self._surroundings.insight(place_of(known(self._sessions, request)), int(request.match_info["answer"]))
        if insight is None:
            raise Unacceptable("insight-gone")
        return web.json_response(insight_view(insight))

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file that the bot handed to this person. Only pictures are shown; whatever else it is, it is saved."""
        path = self._hubs.handouts.find(known(self._sessions, request), request.match_info["token"])
        if path is None:
            raise web.HTTPNotFound
        shown = "inline" if path.suffix in PICTURES else "attachment"
        return web.FileResponse(path, headers={"Content-Disposition": shown})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events. A page that comes back names the last one it has."""
        hub = self._hubs.of(known(self._sessions, request))
        if hub.followers >= MAX_FOLLOWERS:
            raise web.HTTPTooManyRequests
        return await stream_events(request, hub)

    async def _hear(self, incoming: Incoming) -> None:
        """Without a password only this machine reaches the page, and nobody has to share the bot."""
        author = replace(incoming.author, alone=self._sessions.open)
        await self._bot.handle(replace(incoming, author=author))

    async def _tell(self, person: str, question: str) -> dict[str, Any] | None:
        """Show what was stored just now on all pages of this person: the question, which is returned, and what has no message yet."""
        recent = as_shown(await self._bot.history(place_of(person), RECENT))
        news = [message for message in recent if message["id"] == question or message["id"].startswith(STORED)]
        for message in news:
            self._hubs.of(person).publish("message", message["id"], message)
        return next((message for message in news if message["id"] == question), None)

    async def _see_stopped(self, person: str, answer: int) -> None:
        """An answer that was stopped before its first word is never sent: the page must hear of its end from us."""
        for _ in range(STOP_LOOKS):
            recent = as_shown(await self._bot.history(place_of(person), RECENT))
            shown = next((message for message in recent if message["answer"] == answer), None)
            if shown is None or not shown["id"].startswith(STORED):
                return
            if shown["final"]:
                self._hubs.of(person).publish("message", shown["id"], shown)
                return
            await asyncio.sleep(STOP_PAUSE)
