"""Whoever has Discord in Chinese is answered in Chinese: commands, the panel, its form, the menu's form, the hand-over."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.answer_settings import SETTINGS
from bot.platform import Button
from bot.store.database import sqlite_url
from bot.texts import CHINESE
from bot.texts.marked_commands import show_plain
from tests.adapters.discord.rig import AT_ONCE, TEXTS, Cdn, new_client
from tests.adapters.strict.discord.interacting import interaction
from tests.adapters.strict.discord.server import BOT, Wire, connected, message_payload
from tests.bot.rig import Rig, ScriptedEngine, echo, running

NUMBERS = count(1)


class Reader:
    """Ann, who reads Chinese, and a whole bot behind the wire."""

    def __init__(self, wire: Wire, rig: Rig) -> None:
        self._wire = wire
        self.rig = rig

    async def does(self, kind: int, data: dict[str, Any], **more: Any) -> str:
        """What the bot shows to this, as it came over the wire."""
        name, seen = str(next(NUMBERS)), len(self._wire.requests)
        granted = discord.Permissions(attach_files=True)
        event = interaction(name, kind, data, locale="zh-CN", granted=granted) | more
        await self._wire.dispatch("INTERACTION_CREATE", event)
        await self.rig.until(lambda: any(_says(body) for _, _, body in self._wire.requests[seen:]))
        return json.dumps([body for _, _, body in self._wire.requests[seen:] if _says(body)], ensure_ascii=False)


def _says(body: dict[str, Any]) -> bool:
    """Whether a request shows something: a message's words that are no placeholder, or a form."""
    return body.get("content", "…") != "…" or body.get("type") == 9


@pytest.fixture
async def reader(wire: Wire, tmp_path: Path) -> AsyncIterator[Reader]:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig, connected(new_client(rig.core, Cdn(), **AT_ONCE)):
        yield Reader(wire, rig)


def command(name: str, *options: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "name": name, "type": 1, "options": list(options)}


async def test_commands_and_panel_are_in_chinese(reader: Reader) -> None:
    assert TEXTS.render(CHINESE, "help.intro") in await reader.does(2, command("help"))
    panel = await reader.does(2, command("settings"))
    assert TEXTS.render(CHINESE, "settings.title") in panel
    assert TEXTS.render(CHINESE, "discord.panel_pick") in panel
    assert TEXTS.render(CHINESE, "discord.panel_open") in panel
    for name in SETTINGS:
        assert TEXTS.render(CHINESE, f"setting.{name}.name") in panel


async def test_forms_are_in_chinese(reader: Reader) -> None:
    picked = {"custom_id": "gander-panel:pick", "component_type": 3, "values": ["beams"]}
    form = await reader.does(3, picked, message=message_payload("9", BOT, "panel"))
    assert TEXTS.render(CHINESE, "discord.form_value") in form
    assert TEXTS.render(CHINESE, "choice.scope.server") in form
    target = message_payload("8", BOT, "a goose")
    chosen = {
        "id": "2",
        "name": TEXTS.render("en", "discord.menu_ask"),
        "type": 3,
        "target_id": "8",
        "resolved": {"messages": {"8": target}},
    }
    assert TEXTS.render(CHINESE, "option.prompt.description") in await reader.does(2, chosen)


async def test_an_answer_s_buttons_and_refusals_are_in_chinese(reader: Reader, wire: Wire) -> None:
    await reader.does(2, command("ask", {"name": "prompt", "type": 3, "value": "鹅？"}))
    await reader.rig.until(lambda: TEXTS.render(CHINESE, f"button.{Button.AGAIN}") in str(wire.messages))
    [answer] = wire.messages.values()
    assert answer["content"] == "> **ann**: 鹅？\n\nYou asked: 鹅？"  # nobody else sees what was asked
    refused = re.sub(r"</ask:\d+>", "/提问", await reader.does(2, command("ask")))
    assert show_plain(TEXTS.on("discord").render(CHINESE, "ask.empty")) in refused


async def test_taken_along_an_endless_answer_is_five_messages_with_a_file(reader: Reader, wire: Wire) -> None:
    words = [f"第 {number} 只鹅。\n\n" for number in range(1_200)]
    reader.rig.engine.reply = lambda _: ["".join(words)]
    await reader.does(2, command("ask", {"name": "prompt", "type": 3, "value": "数一数"}))
    await reader.rig.until(lambda: any(wire.files.values()))
    [document] = [files["answer.md"] for files in wire.files.values() if files]
    assert document.decode() == "".join(words)
    assert len(wire.messages) == 5
    assert TEXTS.render(CHINESE, "discord.whole_answer") in [*wire.messages.values()][-1]["content"]
