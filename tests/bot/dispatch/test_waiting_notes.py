"""Whoever asks while the bot is being stopped is told so, and answered after the next start: on every kind of platform."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.discord.platform import LIMITS as DISCORD
from adapters.telegram.platform import TelegramPlatform
from adapters.web.platform import WebPlatform
from bot.message import Author
from bot.platform import Limits
from bot.store.database import sqlite_url
from bot.texts import load_texts
from tests.bot.rig import Chat, ScriptedEngine, echo, running
from tests.bot.samples import BEN

STOPPING = load_texts().render("en", "answer.stopping")


@pytest.mark.parametrize("limits", [DISCORD, TelegramPlatform.limits, WebPlatform.limits], ids=["discord", "telegram", "web"])
async def test_who_waits_or_asks_during_a_stop_is_told_and_answered_later(tmp_path: Path, limits: Limits) -> None:
    url, engine, chat = sqlite_url(tmp_path / "gander.db"), ScriptedEngine(echo, rows=1), Chat(limits=limits)
    async with running(url, tmp_path, engine, chat) as rig:
        await rig.say("first")
        await rig.until(lambda: engine.running == 1)
        await rig.say("waits", author=BEN)
        stop = asyncio.create_task(rig.core.drain())
        await rig.until(lambda: [message.text for message in chat.messages.values()].count(STOPPING) == 1)
        await rig.say("comes late", author=Author("web", "cyd", "Cyd"))
        engine.gate.set()
        await stop
        assert [message.text for message in chat.messages.values()].count(STOPPING) == 2
        assert chat.finals() == ["You asked: first"]
    async with running(url, tmp_path, engine, chat) as rig:
        assert sorted(await rig.finals(3)) == ["You asked: comes late", "You asked: first", "You asked: waits"]
    assert len(chat.messages) == len(engine.requests) == 3  # in the place of the notes
