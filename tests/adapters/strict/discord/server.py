"""A small Discord on loopback, HTTP and gateway, under the real client: for what a simulation above the wire can't show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import discord
import pytest
import yarl
from aiohttp import BodyPartReader, WSCloseCode, WSMsgType, web
from discord.gateway import DiscordWebSocket
from discord.http import Route

BOT = {"id": "77", "username": "gander", "discriminator": "0", "avatar": None, "bot": True}
ANN = {"id": "5", "username": "ann", "discriminator": "0", "avatar": None}
APPLICATION: dict[str, Any] = {
    "id": "77",
    "name": "gander",
    "icon": None,
    "description": "",
    "verify_key": "",
    "bot_public": True,
    "bot_require_code_grant": False,
    "owner": ANN,
    "flags": 0,
}
COMMANDS = 900  # the id of the first command that the bot offers
TOKEN = "Nzc.wire.token"
CHANNEL = "10"
SERVER = "3"
ARCHIVED: dict[str, Any] = {
    "id": "11",
    "type": 11,
    "guild_id": SERVER,
    "parent_id": CHANNEL,
    "owner_id": "5",
    "name": "old geese",
    "message_count": 1,
    "member_count": 1,
    "rate_limit_per_user": 0,
    "thread_metadata": {"archived": True, "auto_archive_duration": 60, "archive_timestamp": "2026-01-01T00:00:00+00:00"},
}

SHOWN = {"users/@me": BOT, "oauth2/applications/@me": APPLICATION, "channels/11": ARCHIVED}


@dataclass
class Failure:
    """What the next request of a method meets instead of an answer. `done`: it was carried out, and only the answer was lost."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    done: bool = False


@dataclass
class Wire:
    """The fake's state. What is not one of its routes is a 404, as with Discord."""

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)  # by message, by name
    requests: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    failures: dict[str, list[Failure]] = field(default_factory=dict)
    identified: list[dict[str, Any]] = field(default_factory=list)
    resumed: list[dict[str, Any]] = field(default_factory=list)
    refuse_content: bool = False
    missed: list[dict[str, Any]] = field(default_factory=list)  # events that are sent after a resume
    originals: dict[str, str] = field(default_factory=dict)  # an interaction's first message, by its token
    socket: web.WebSocketResponse | None = None
    url: str = ""
    ids: count[int] = field(default_factory=lambda: count(1000))
    sequence: count[int] = field(default_factory=lambda: count(1))

    def posted(self) -> list[dict[str, Any]]:
        return [body for method, path, body in self.requests if method == "POST" and path.endswith("/messages")]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/gateway/":
            return await self._gateway(request)
        body = await read_body(request)
        path = request.path.removeprefix("/api/v10")
        self.requests.append((request.method, path, body))
        tokenless = path.startswith(("/webhooks/", "/interactions/"))  # their own tokens stand in the path
        if not tokenless and request.headers.get("Authorization") != f"Bot {TOKEN}":
            return answer({"message": "401: Unauthorized", "code": 0}, 401)
        if failures := self.failures.get(request.method):
            failure = failures.pop(0)
            if failure.done:
                self._route(request.method, path.strip("/").split("/"), body)
            return answer(failure.body, failure.status)
        return self._route(request.method, path.strip("/").split("/"), body)

    def _route(self, method: str, path: list[str], body: dict[str, Any]) -> web.Response:
        match method, path:
            case "GET", [*name] if "/".join(name) in SHOWN:
                return answer(SHOWN["/".join(name)])
            case "PUT", ["applications", "77", "commands"]:
                return answer([_offered(number, each) for number, each in enumerate(body.get("list", []), start=COMMANDS)])
            case "POST", ["interactions", name, *_]:
                return answer({"interaction": {"id": name, "type": 2}})
            case "PATCH", ["webhooks", "77", token, "messages", "@original"]:
                return answer(self._put(self.originals.setdefault(token, str(next(self.ids))), body))
            case "PATCH", ["webhooks", "77", _, "messages", name] if name in self.messages:
                return answer(self._put(name, body))
            case "POST", ["webhooks", "77", _]:
                return answer(self._put(str(next(self.ids)), body))
            case "POST", ["channels", "10", "messages"]:
                return answer(self._post(body))
            case "PATCH", ["channels", "10", "messages", name] if name in self.messages:
                return answer(self._put(name, body))
            case "DELETE", ["channels", "10", "messages", name] if name in self.messages:
                del self.messages[name]
                return web.Response(status=204)
        return answer({"message": "Unknown Message", "code": 10008}, 404)

    def _put(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """What an interaction says."""
        message = self.messages.setdefault(name, message_payload(name, BOT, ""))
        message.update({key: body[key] for key in ("content", "components") if key in body})
        self.files[name] = body.get("files", self.files.get(name, {}))
        return message

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        nonce = body["nonce"] if body.get("enforce_nonce") else None
        if nonce in self.nonces:
            return self.messages[self.nonces[nonce]]
        message = self._put(str(next(self.ids)), body)
        if nonce is not None:
            self.nonces[nonce] = message["id"]
        return message

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        self.socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41_250}})
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                await self._received(socket, json.loads(frame.data))
        return socket

    async def _received(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        if said["op"] == 1:
            await socket.send_json({"op": 11})
        elif said["op"] == 2:
            self.identified.append(said["d"])
            if self.refuse_content and discord.Intents._from_value(said["d"]["intents"]).message_content:
                await socket.close(code=4014)
                return
            ready = {"v": 10, "user": BOT, "guilds": [], "session_id": "s", "resume_gateway_url": f"{self.url}/gateway/"}
            await self.dispatch("READY", ready | {"application": {"id": "77", "flags": 0}})
        elif said["op"] == 6:
            self.resumed.append(said["d"])
            for event in self.missed:
                await self.dispatch("MESSAGE_CREATE", event)
            await self.dispatch("RESUMED", {})

    async def dispatch(self, name: str, data: dict[str, Any]) -> None:
        if self.socket is not None:
            await self.socket.send_json({"op": 0, "t": name, "s": next(self.sequence), "d": data})

    async def drop(self) -> None:
        """The connection breaks, and can be resumed."""
        if self.socket is not None:
            await self.socket.close(code=WSCloseCode.GOING_AWAY)


async def read_body(request: web.Request) -> dict[str, Any]:
    """A request's JSON; of an upload, its `payload_json` with the files beside it."""
    if not request.can_read_body:
        return {}
    if not request.content_type.startswith("multipart/"):
        body: Any = await request.json()
        return body if isinstance(body, dict) else {"list": body}
    body, files = {}, {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise TypeError("Discord takes no form within a form")
        data = await part.read()
        if part.name == "payload_json":
            body = json.loads(data)
        else:
            files[str(part.filename)] = bytes(data)
    declared = {each["filename"] for each in body.get("attachments", [])}
    if declared != files.keys():
        raise ValueError(f"declared {declared}, uploaded {set(files)}")
    return {**body, "files": files}


def _offered(number: int, command: dict[str, Any]) -> dict[str, Any]:
    """A command that Discord has taken."""
    return {"id": str(number), "application_id": "77", "version": "1", "default_member_permissions": None, "dm_permission": True, **command}


def answer(body: Any, status: int = 200) -> web.Response:
    # discord.py parses JSON of exactly this type, and takes a 429 without `Via` for a ban by Discord's shield.
    return web.Response(body=json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json", "Via": "1.1 fake"})


def message_payload(name: str, author: dict[str, Any], content: str) -> dict[str, Any]:
    told = {"id": name, "channel_id": CHANNEL, "author": author, "content": content, "timestamp": "2026-01-01T00:00:00+00:00"}
    empty: dict[str, Any] = {key: [] for key in ("mentions", "mention_roles", "attachments", "embeds", "components")}
    return {**told, **empty, "edited_timestamp": None, "tts": False, "mention_everyone": False, "pinned": False, "type": 0}


def server_payload() -> dict[str, Any]:
    """A server with one channel, in which everybody may do everything."""
    everyone = {
        "id": SERVER,
        "name": "@everyone",
        "position": 0,
        "permissions": str((1 << 50) - 1),
        "color": 0,
        "colors": {"primary_color": 0},
    }
    channel = {"id": CHANNEL, "type": 0, "name": "geese", "position": 0, "permission_overwrites": [], "nsfw": False, "parent_id": None}
    numbers = ("verification_level", "default_message_notifications", "explicit_content_filter", "mfa_level", "nsfw_level", "premium_tier")
    empty = ("members", "threads", "emojis", "stickers", "features", "voice_states", "presences", "stage_instances")
    told = {"id": SERVER, "name": "geese", "owner_id": ANN["id"], "preferred_locale": "en-US", "member_count": 2, "system_channel_flags": 0}
    counted = {**dict.fromkeys(numbers, 0), "afk_timeout": 0, "premium_progress_bar_enabled": False}
    return {**told, **counted, **{name: [] for name in empty}, "roles": [everyone], "channels": [channel]}


def server_message(name: str, author: dict[str, Any], content: str) -> dict[str, Any]:
    """A message in that channel, which mentions the bot."""
    member = {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False, "flags": 0}
    message = message_payload(name, author, f"<@{BOT['id']}> {content}")
    return {**message, "guild_id": SERVER, "member": member, "mentions": [{**BOT, "member": member}]}


@asynccontextmanager
async def wired(monkeypatch: pytest.MonkeyPatch, host: str = "127.0.0.1") -> AsyncIterator[Wire]:
    """The fake is where discord.py looks for Discord. `host`: under which name."""
    wire = Wire()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", wire.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"{host}:{runner.addresses[0][1]}"
    wire.url = f"ws://{address}"
    monkeypatch.setattr(Route, "BASE", f"http://{address}/api/v10")
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(f"ws://{address}/gateway/"))
    try:
        yield wire
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(client: discord.Client) -> AsyncIterator[None]:
    """The client is logged in and ready inside this block."""
    async with client:
        task = asyncio.create_task(client.start(TOKEN))
        try:
            async with asyncio.timeout(90):
                ready = asyncio.create_task(client.wait_until_ready())
                await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            yield
        finally:
            await client.close()
            await asyncio.wait({task})
