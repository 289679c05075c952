"""One slow file or link of one person holds up nobody else on Discord: the real client on the wire, with a whole bot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.store.database import sqlite_url
from tests.adapters.discord.rig import AT_ONCE, Cdn, new_client
from tests.adapters.discord.whole import GOOSE
from tests.adapters.strict.discord.server import ANN, Wire, connected, message_payload
from tests.bot.rig import ScriptedEngine, asked, echo, running

BOB: dict[str, Any] = {"id": "6", "username": "bob", "discriminator": "0", "avatar": None}


@dataclass
class Stalled(Cdn):
    """Files whose address says so never come."""

    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str) -> AsyncIterator[bytes]:
        self.asked.append(url)
        if "stalled" in url:
            await asyncio.Event().wait()
        yield GOOSE


def photo(name: str, author: dict[str, Any], text: str, file: str) -> dict[str, Any]:
    url = f"https://cdn.discordapp.com/attachments/1/{name}/{file}.png"
    attached = {"id": f"9{name}", "filename": f"{file}.png", "size": len(GOOSE), "url": url, "proxy_url": url, "content_type": "image/png"}
    return message_payload(name, author, text) | {"attachments": [attached]}


async def test_stalled_downloads_and_links_without_a_preview_hold_up_nobody_else(wire: Wire, tmp_path: Path) -> None:
    engine, cdn = ScriptedEngine(echo), Stalled()
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig, connected(new_client(rig.core, cdn, **AT_ONCE)):
        for number in range(10):
            await wire.dispatch("MESSAGE_CREATE", photo(f"1{number}", ANN, "stalled", "stalled"))
        await rig.until(lambda: len(cdn.asked) == 10)
        for number in range(5):
            await wire.dispatch("MESSAGE_CREATE", message_payload(f"2{number}", ANN, f"see https://goose.example/{number}"))
        await wire.dispatch("MESSAGE_CREATE", photo("30", BOB, "mine", "goose"))
        await rig.until(lambda: any(asked(request) == "mine" for request in engine.requests))
        assert not any(asked(request) == "stalled" for request in engine.requests)
        await wire.dispatch("MESSAGE_CREATE", message_payload("40", ANN, "/stop"))
        await rig.until(lambda: any("Stopped" in message["content"] for message in wire.messages.values()))
