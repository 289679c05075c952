"""Discord's gateway on loopback: identify, resume, intents, and the backend's events for whom they are meant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import discord
from aiohttp import WSCloseCode, WSMsgType, web
from simcord.backend import Backend, serializers
from simcord.gateway import FakeGateway

Json = dict[str, Any]
SESSION = "loopback"


class Parsers(Mapping[str, Any]):
    """simcord hands each event to discord.py's parser; here all go out by the wire."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __getitem__(self, event: str) -> Any:
        return partial(self._gateway.send, event)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass
class Gateway:
    """One bot's connection. `said` is kept for a resume, and goes with the session.

    A bot that says which shard it is gets a gateway of its own in `shards`, which is told of that shard's servers alone.
    """

    backend: Backend
    token: str
    privileged: discord.Intents  # that the application was granted
    url: str = ""
    socket: web.WebSocketResponse | None = None
    identified: list[Json] = field(default_factory=list)
    resumed: list[Json] = field(default_factory=list)
    said: list[Json] = field(default_factory=list)
    feeder: FakeGateway | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _flushed: int = 0  # of `said`, that the socket has
    shard: tuple[int, int] = (0, 1)  # its number, and of how many
    shards: dict[int, Gateway] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backend.subscribers.append(self.feed)
        self._news = asyncio.Event()

    def feed(self, event: str, payload: Mapping[str, Any]) -> None:
        """Something happened. Of a session that has not begun nobody is told."""
        if self.feeder is not None and self._is_mine(event, payload):
            self.feeder.feed(event, payload)

    def _is_mine(self, event: str, payload: Mapping[str, Any]) -> bool:
        """Servers are spread by their ids; what belongs to none is shard 0's."""
        guild = payload.get("id") if event in {"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE"} else payload.get("guild_id")
        return (int(guild or 0) >> 22) % self.shard[1] == self.shard[0]

    @property
    def session(self) -> str:
        return SESSION if self.shard[1] == 1 else f"{SESSION}-{self.shard[0]}"

    def _meant(self, said: Json) -> Gateway:
        """Which shard's session a bot begins or goes on with."""
        data = said["d"]
        if said["op"] == 2 and (shard := data.get("shard")) and shard[1] > 1:
            if shard[0] not in self.shards:
                self.shards[shard[0]] = Gateway(self.backend, self.token, self.privileged, self.url, shard=(shard[0], shard[1]))
            return self.shards[shard[0]]
        if said["op"] == 6:
            return next((each for each in self.shards.values() if each.session == data["session_id"]), self)
        return self

    def send(self, event: str, data: Json) -> None:
        self.said.append({"op": 0, "t": event, "s": len(self.said) + 1, "d": json.loads(json.dumps(data, default=str))})
        self._news.set()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41_250}})
        teller: asyncio.Task[None] | None = None
        try:
            async for frame in socket:
                if frame.type is not WSMsgType.TEXT:
                    continue
                said = json.loads(frame.data)
                meant = self._meant(said)
                if await meant._received(socket, said):
                    teller = asyncio.create_task(meant._tell(socket))
        finally:
            if teller is not None:
                teller.cancel()
        return socket

    async def drop(self) -> None:
        """The connection breaks, and can be resumed."""
        if self.socket is not None:
            await self.socket.close(code=WSCloseCode.GOING_AWAY)

    async def _received(self, socket: web.WebSocketResponse, said: Json) -> bool:
        """Whether the bot is to be told of events from now on."""
        data = said["d"]
        if said["op"] == 1:
            await socket.send_json({"op": 11})
        elif said["op"] == 2:
            return await self._identify(socket, data)
        elif said["op"] == 6:
            self.resumed.append(data)
            if data["session_id"] != self.session or self.feeder is None:
                await socket.send_json({"op": 9, "d": False})
                return False
            self.socket, self._flushed = socket, data["seq"]
            self.send("RESUMED", {})
            return True
        return False

    async def _identify(self, socket: web.WebSocketResponse, data: Json) -> bool:
        self.identified.append(data)
        wanted = discord.Intents._from_value(data["intents"])
        if data["token"] != self.token:
            await socket.close(code=4004)
            return False
        if wanted.message_content and not self.privileged.message_content:
            await socket.close(code=4014)
            return False
        self.said, self._flushed, self.socket = [], 0, socket
        self.feeder = FakeGateway(self.backend, SimpleNamespace(intents=wanted, parsers=Parsers(self)))
        there = [guild for guild in self.backend.guilds.values() if self.backend.bot_user.id in guild.members]
        guilds = [guild for guild in there if self._is_mine("GUILD_CREATE", {"id": guild.id})]
        self.send("READY", self._ready([str(guild.id) for guild in guilds]))
        for guild in guilds:
            self.feed("GUILD_CREATE", serializers.guild_create_payload(self.backend, guild))
        return True

    def _ready(self, guilds: list[str]) -> Json:
        return {
            "v": 10,
            "user": dict(serializers.user_payload(self.backend.bot_user)),
            "guilds": [{"id": name, "unavailable": True} for name in guilds],
            "session_id": self.session,
            "resume_gateway_url": f"{self.url}/gateway/",
            "application": {"id": str(self.backend.application_id), "flags": 0},
            "shard": list(self.shard),
        }

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        while not socket.closed:
            self._news.clear()
            while self._flushed < len(self.said) and self.socket is socket:
                event = self.said[self._flushed]
                self._flushed += 1
                await socket.send_json(event)
            await self._news.wait()
