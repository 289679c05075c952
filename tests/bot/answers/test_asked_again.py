"""What people have read of an answer does not vanish when its engine dies in the middle and it is made anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bot.errors import AnswerLost
from bot.message import Place
from bot.platform import Outgoing
from bot.store.database import sqlite_url
from engine.api import ChatRequest
from tests.bot.rig import Chat, ScriptedEngine, Valve, running

WORDS = ("A goose ", "stands ", "by ", "the ", "pond.")


@dataclass
class ReadingAlong(Chat):
    """Keeps every text that its one message ever showed."""

    read: list[Outgoing] = field(default_factory=list)

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        await super().edit(place, message_id, message)
        self.read.append(message)


async def test_shown_words_stay_until_the_new_answer_is_as_long(tmp_path: Path) -> None:
    begun: list[int] = []

    def reply(request: ChatRequest) -> Iterable[str | Exception]:
        begun.append(len(begun))
        yield from WORDS[:4]
        yield AnswerLost("the engine died") if len(begun) == 1 else WORDS[4]

    engine, chat, valve = ScriptedEngine(reply), ReadingAlong(), Valve(4)
    engine.gate = valve
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        await rig.say("Tell me of a goose")
        await rig.until(lambda: bool(chat.read or chat.messages) and "the" in next(iter(chat.messages.values())).text)
        engine.away = True
        valve.let(1)
        await rig.until(lambda: bool(chat.read) and bool(chat.read[-1].footer))
        assert chat.read[-1].text == "A goose stands by the "
        engine.away = False
        for _ in range(3):
            valve.let(1)
            await asyncio.sleep(0.02)
        await rig.until(lambda: len(begun) == 2 and not chat.read[-1].footer)
        valve.set()
        assert await rig.finals(1) == ["A goose stands by the pond."]
        assert all(shown.text.startswith("A goose stands by the ") for shown in chat.read if "pond" in shown.text or shown.footer)
        lengths = [len(shown.text) for shown in chat.read]
        assert lengths == sorted(lengths)
