"""The page's addresses: its files, who you are, your history and pictures, and the stream of events."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiohttp import web

from adapters.requests import UPLOAD, text_of
from adapters.web.assets import assets, respond, words_of
from adapters.web.conversations import PAGE, listed
from adapters.web.described import EVENTS, FILE, HTML, PICTURE, SEE_OTHER
from adapters.web.event_streams import stream_events
from adapters.web.explanation_view import explanation_view
from adapters.web.forms import (
    CHARACTERS,
    Asking,
    Press,
    SignIn,
    TooLarge,
    Unacceptable,
    asked,
    locale_of,
    pressed,
    read_form,
    read_question,
    validated,
    whole,
)
from adapters.web.header_view import Surroundings, engine_view, settings_view
from adapters.web.history_view import as_shown
from adapters.web.hub import Hubs
from adapters.web.platform import place_of, stored
from adapters.web.security import CODE_SECONDS, Sessions, known
from bot.api import Bot
from bot.message import Incoming
from bot.platform import Button
from bot.texts import choose_language
from engine.http_routes import JSON, TEXT, Route

MAX_FOLLOWERS = 24  # open pages of one person
MAX_HISTORY = 2000
ADDRESS = re.compile(r"/c/[0-9a-f]{16}")  # of a conversation
URLENCODED = "application/x-www-form-urlencoded"
PICTURES = frozenset({".png", ".jpg"})
STOP_LOOKS, STOP_PAUSE = 50, 0.1  # seconds between looks whether an answer has stopped
RECENT = 50  # messages among which a new one is looked for


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one question may carry: `bytes` counts all its pictures together, `file_bytes` each by itself."""

    pictures: int = 8
    bytes: int = 64_000_000
    file_bytes: int = 20_000_000


class Pages:
    def __init__(self, bot: Bot, surroundings: Surroundings, hubs: Hubs, sessions: Sessions, limits: UploadLimits) -> None:
        self._bot = bot
        self._surroundings = surroundings
        self._hubs = hubs
        self._sessions = sessions
        self._limits = limits

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/", self.index, "The page, or where one signs in.", HTML, known=False),
            Route("GET", "/c/{conversation:[0-9a-f]{16}}", self.index, "The page, at a conversation.", HTML, known=False),
            Route("POST", "/login", self.login, "Sign in.", SEE_OTHER, {URLENCODED: SignIn}, known=False),
            Route("POST", "/logout", self.logout, "Sign this browser out.", SEE_OTHER, known=False),
            Route("POST", "/api/devices", self.device, "A code for one more device."),
            Route("GET", "/api/start", self.start, "All that a page begins with.", known=False),
            Route("GET", "/api/session", self.session, "Who you are and what can be set."),
            Route("GET", "/api/messages", self.history, "Your newest messages.", query={"limit": {"type": "integer"}}),
            Route("POST", "/api/messages", self.ask, "Ask.", body={"multipart/form-data": Asking}, name=UPLOAD),
            Route("POST", "/api/buttons", self.press, "Press a button of an answer.", body={JSON: Press}),
            Route("GET", "/api/pictures/{sha256:[0-9a-f]{64}}", self.picture, "A picture that you showed.", PICTURE),
            Route("GET", "/api/files/{token}/{name}", self.file, "A file that you were handed.", FILE),
            Route("GET", "/api/explanations/{answer:[0-9]{1,15}}", self.explanation, "How an answer came about."),
            Route("GET", "/api/events", self.events, "What changes, as it does.", EVENTS, query={"after": TEXT}),
            Route("GET", "/static/{name:.+}", self.asset, "The page's own files.", FILE, known=False),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        welcome = self._sessions.open or self._sessions.person(request)
        await asyncio.to_thread(assets)
        return respond(request, "index.html" if welcome else "login.html", {"Cache-Control": "no-store"})

    async def asset(self, request: web.Request) -> web.StreamResponse:
        await asyncio.to_thread(assets)
        return respond(request, request.match_info["name"])

    async def login(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        code = str(form.get("code", "")).strip()
        trouble = self._sessions.trouble_with(str(form.get("password", "")), request)
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

    async def start(self, request: web.Request) -> web.StreamResponse:
        """All that a page begins with, in one answer: each would cost a far-away page another journey. A newcomer gets the cookie here."""
        cookie = None if self._sessions.person(request) or not self._sessions.open else self._sessions.new_cookie(request)
        person = self._sessions.person_of(cookie) if cookie else known(self._sessions, request)
        if person is None:
            raise web.HTTPUnauthorized
        position = self._hubs.of(person).position  # before the look: what changes meanwhile is told
        index = listed(await self._surroundings.conversations(place_of(person), PAGE + 1))
        words = await asyncio.to_thread(words_of, choose_language(locale_of(request)))
        told = {**await self._settings(request, person), **await self._messages(request, person)}
        response = packed({**told, "index": index, "words": words, "events": position})
        if cookie:
            self._sessions.set_cookie(request, response, cookie)
        return response

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Who you are and what can be set."""
        return packed(await self._settings(request, known(self._sessions, request)))

    async def history(self, request: web.Request) -> web.StreamResponse:
        return packed(await self._messages(request, known(self._sessions, request)))

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Take a question. The reply says what was stored: nothing of a question that was refused (the reason is an event)."""
        person = known(self._sessions, request)
        try:
            question, attachments = await read_question(request, self._limits.pictures)
        except web.HTTPRequestEntityTooLarge as error:
            raise TooLarge("error-too-large", megabytes=self._limits.bytes // 1_000_000) from error
        command, before = self._surroundings.parse(question.text), await self._newest(person)
        await self._hear(asked(question, attachments, person, command, locale_of(request)))
        if command is not None:  # it may have set, stopped or forgotten anything
            self._hubs.of(person).publish("reload", "reload", {})
        return packed({"messages": await self._tell(person, before, question.id), "command": command is not None})

    async def press(self, request: web.Request) -> web.StreamResponse:
        """What a pressed button stored: another answer, or a question to go on with its answer."""
        person = known(self._sessions, request)
        press, before = validated(Press, await text_of(request)), await self._newest(person)
        await self._hear(pressed(press, person, locale_of(request)))
        if press.button is Button.STOP:
            await self._see_stopped(person, press.answer)
        return packed({"messages": await self._tell(person, before)})

    async def picture(self, request: web.Request) -> web.StreamResponse:
        """A picture that this person showed: its name never changes its content, so that it may be kept by the browser."""
        path = await self._bot.picture(place_of(known(self._sessions, request)), request.match_info["sha256"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "private, max-age=31536000, immutable"})

    async def explanation(self, request: web.Request) -> web.StreamResponse:
        """How an answer to this person came about; refused when it is not known any more."""
        answer = int(request.match_info["answer"])
        explanation = self._surroundings.explanation(place_of(known(self._sessions, request)), answer)
        if explanation is None:
            raise Unacceptable("explanation-gone")
        return packed({**explanation_view(explanation), "how": f"/how/{answer}" if self._surroundings.explainable(answer) else None})

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file that the bot handed to this person. Only pictures are shown; whatever else it is, it is saved."""
        path = self._hubs.private_files.find(known(self._sessions, request), request.match_info["token"])
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

    async def _settings(self, request: web.Request, person: str) -> dict[str, Any]:
        return {
            "engine": engine_view(await self._surroundings.engines()),
            "settings": await settings_view(self._surroundings, person, locale_of(request)),
            "signed_in": not self._sessions.open,
            "limits": {**asdict(self._limits), "characters": CHARACTERS},
        }

    async def _messages(self, request: web.Request, person: str) -> dict[str, Any]:
        limit = min(whole(request.query.get("limit", "")) or 200, MAX_HISTORY)
        messages = await self._bot.history(place_of(person), limit + 1)
        return {"messages": as_shown(messages[-limit:]), "more": len(messages) > limit}

    async def _newest(self, person: str) -> int:
        """The number of the newest message; 0 where there is none."""
        return max((message.id for message in await self._bot.history(place_of(person), 1)), default=0)

    async def _tell(self, person: str, before: int, question: str = "") -> list[dict[str, Any]]:
        """Show what was stored after the message `before` on all pages of this person, and the question, should it be older: it was
        sent twice then. An answer that began meanwhile is newer there.
        """
        messages = as_shown(await self._bot.history(place_of(person), RECENT))
        news = [message for message in messages if message["number"] > before or question in (message["id"], message["parent"])]
        hub = self._hubs.of(person)
        for message in news:
            if hub.latest(message["id"]) is None:
                hub.publish("message", message["id"], message)
        return news

    async def _see_stopped(self, person: str, answer: int) -> None:
        """An answer that was stopped before its first word is never sent: the page must hear of its end from us."""
        for _ in range(STOP_LOOKS):
            recent = await self._bot.history(place_of(person), MAX_HISTORY)
            found = next((message for message in recent if message.id == answer), None)
            if found is None or found.message_ids:
                return
            if not found.pending:
                (shown,) = (message for message in as_shown(recent) if message["number"] == answer)
                self._hubs.of(person).publish("message", stored(answer), shown)
                return
            await asyncio.sleep(STOP_PAUSE)


def packed(data: Any) -> web.Response:
    """JSON, compressed where the browser takes that."""
    response = web.json_response(data)
    response.enable_compression()
    return response
