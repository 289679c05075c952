"""A strict Discord on loopback, HTTP and gateway: it takes what Discord takes, and refuses what Discord refuses.

Forms, permissions, components, interactions with their three seconds and fifteen minutes, and who sees what is said to one
person alone are simcord's backend; here it stands behind a wire, with what only a wire can show (rules.py), and with misfortunes.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any

import discord
from aiohttp import BodyPartReader, web
from simcord._clock import Clock
from simcord.backend import Backend
from simcord.backend.errors import BackendError
from simcord.http import routes as _routes  # noqa: F401 - importing them registers them
from simcord.http.router import RouteNotImplemented, UnsupportedField, dispatch

from tests.adapters.strict.discord.gateway import Gateway
from tests.adapters.strict.discord.rules import Json, Pace, Rules

TOKEN = "Nzc.strict.token"
MOST_FILE_BYTES = 10 << 20


class WallClock(Clock):
    """The time of day; `advance` lets more of it pass, for tokens that end after a quarter of an hour."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.elapsed)


@dataclass
class Failure:
    """What the next request of a kind meets. `done`: it was carried out first; `cut`: the connection ends without an answer."""

    status: int = 502
    body: Json = field(default_factory=dict)
    done: bool = False
    cut: bool = False


@dataclass
class Call:
    """A request that the bot made."""

    method: str
    path: str
    body: Any


@dataclass
class Upload:
    """A file, as simcord reads it."""

    fp: io.BytesIO
    filename: str
    description: str | None


def _backend() -> Backend:
    return Backend(clock=WallClock())


@dataclass
class DiscordApi:
    """The server's state beside the backend: what was called, what shall fail, what is held back."""

    backend: Backend = field(default_factory=_backend)
    token: str = TOKEN
    calls: list[Call] = field(default_factory=list)
    failures: list[tuple[str, str, Failure]] = field(default_factory=list)  # by method and path (a pattern), in order
    held: list[tuple[str, str, asyncio.Event]] = field(default_factory=list)  # not carried out before this is set …
    muted: list[tuple[str, str, asyncio.Event]] = field(default_factory=list)  # … or carried out, and not answered
    pace: Pace = field(default_factory=Pace)
    privileged: discord.Intents = field(default_factory=discord.Intents.all)
    unknown: list[BackendError] = field(default_factory=list)  # what simcord does not know: a gap of these tests

    def __post_init__(self) -> None:
        self.rules = Rules(self.backend)
        self.gateway = Gateway(self.backend, self.token, self.privileged)

    def called(self, method: str, path: str) -> list[Any]:
        """The bodies of such requests. `path` may be a pattern."""
        return [call.body for call in self.calls if call.method == method and fnmatch(call.path, path)]

    def fail(self, method: str, path: str, *failures: Failure) -> None:
        self.failures += [(method, path, failure) for failure in failures]

    def hold(self, method: str, path: str) -> asyncio.Event:
        """Such requests wait until this is set."""
        self.held.append((method, path, event := asyncio.Event()))
        return event

    def mute(self, method: str, path: str) -> asyncio.Event:
        """Such requests are carried out, and their answers wait until this is set."""
        self.muted.append((method, path, event := asyncio.Event()))
        return event

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/gateway/":
            return await self.gateway.serve(request)
        if request.path.startswith("/cdn/"):
            return self._file(request)
        path = request.path.removeprefix("/api/v10")
        body, uploads = await read_body(request)
        self.calls.append(Call(request.method, path, body))
        if not path.startswith(("/webhooks/", "/interactions/")) and request.headers.get("Authorization") != f"Bot {self.token}":
            return answer({"message": "401: Unauthorized", "code": 0}, 401)
        await _wait(self.held, request.method, path)
        response = self._meet(request, path, body, uploads)
        await _wait(self.muted, request.method, path)
        return response

    def _meet(self, request: web.Request, path: str, body: Any, uploads: list[Upload]) -> web.StreamResponse:
        segments = path.strip("/").split("/")
        paced = self.pace.spend(request.method, segments)
        if paced and paced.flooded:
            slow = {"message": "You are being rate limited.", "retry_after": paced.reset_after, "global": False}
            return answer(slow, 429, paced.headers)
        failure = self._failure(request.method, path)
        if failure is None or failure.done:
            response = self._answer(request, path, segments, body, uploads)
            response.headers.update(paced.headers if paced else {})
            if failure is None:
                return response
        if failure.cut and request.transport is not None:
            request.transport.close()
        return answer(failure.body, failure.status)

    def _answer(self, request: web.Request, path: str, segments: list[str], body: Any, uploads: list[Upload]) -> web.Response:
        try:
            return answer(self._judge(request, path, segments, body, uploads))
        except (RouteNotImplemented, UnsupportedField) as error:
            self.unknown.append(error)
            return answer({"message": "404: Not Found", "code": 0}, 404)
        except BackendError as error:
            return answer(error.to_json(), error.status)

    def _judge(self, request: web.Request, path: str, segments: list[str], body: Any, uploads: list[Upload]) -> Any:
        """What the backend makes of it. Raises BackendError."""
        told: Json = body if isinstance(body, dict) else {}
        if any(len(upload.fp.getbuffer()) > MOST_FILE_BYTES for upload in uploads):
            raise BackendError(413, 40005, "Request entity too large")
        if path == "/oauth2/applications/@me":
            return self._application()
        self.rules.check(request.method, segments, told.get("data") or told)
        sends = request.method == "POST" and segments[0] == "channels" and segments[-1] == "messages"
        if sends and (again := self.rules.repeated(segments, told)):
            return dispatch(self.backend, "GET", f"{path}/{again}")
        made = dispatch(self.backend, request.method, path, json=body, params=dict(request.query), files=uploads)
        if sends:
            self.rules.note(told, int(made["id"]))
        return made

    def _application(self) -> Json:
        flags = {"bot_public": True, "bot_require_code_grant": False, "flags": 0}
        owner = {"id": "5", "username": "owner", "discriminator": "0", "avatar": None}
        named = {"id": str(self.backend.application_id), "name": "gander", "icon": None, "description": "", "verify_key": ""}
        return {**named, **flags, "owner": owner}

    def _failure(self, method: str, path: str) -> Failure | None:
        for at, (of, pattern, failure) in enumerate(self.failures):
            if of == method and fnmatch(path, pattern):
                del self.failures[at]
                return failure
        return None

    def _file(self, request: web.Request) -> web.Response:
        data = self.backend.cdn.get("https://cdn.simcord.invalid" + request.path.removeprefix("/cdn"))
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data)


async def _wait(events: list[tuple[str, str, asyncio.Event]], method: str, path: str) -> None:
    for of, pattern, event in events:
        if of == method and fnmatch(path, pattern):
            await event.wait()


async def read_body(request: web.Request) -> tuple[Any, list[Upload]]:
    """A request's JSON; of an upload its `payload_json`, with the files beside it, each of which has to be declared."""
    if not request.can_read_body:
        return {}, []
    if not request.content_type.startswith("multipart/"):
        return await request.json(), []
    body: Json = {}
    uploads: list[Upload] = []
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise TypeError("Discord takes no form within a form")
        data = bytes(await part.read())
        if part.name == "payload_json":
            body = json.loads(data)
        else:
            uploads.append(Upload(io.BytesIO(data), str(part.filename), None))
    told = {each["filename"]: each.get("description") for each in (body.get("data") or body).get("attachments", []) if "filename" in each}
    if told.keys() != {upload.filename for upload in uploads}:
        raise ValueError(f"declared {set(told)}, uploaded {[upload.filename for upload in uploads]}")
    for upload in uploads:
        upload.description = told[upload.filename]
    return body, uploads


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # discord.py parses JSON of exactly this type, and takes a 429 without `Via` for a ban by Discord's shield.
    if body is None:
        return web.Response(status=204, headers=headers)
    told = {"Content-Type": "application/json", "Via": "1.1 strict", **(headers or {})}
    return web.Response(body=json.dumps(body, default=str).encode(), status=status, headers=told)


@asynccontextmanager
async def serving(api: DiscordApi) -> AsyncIterator[str]:
    """The server's host and port. At the end: raises what simcord did not know."""
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    api.gateway.url = f"ws://{host}:{port}"
    try:
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()
    if api.unknown:
        raise api.unknown[0]
