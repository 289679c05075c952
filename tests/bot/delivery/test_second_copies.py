"""Of a send that was carried out unheard the first copy is looked for, whatever the clock said then."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from time import time

import pytest

from bot.delivery import sender
from bot.message import Place
from bot.platform import KnownMessages
from bot.store.database import sqlite_url
from tests.bot.rig import Chat, ScriptedEngine, echo, running


@dataclass
class Repeating(Chat):
    """A chat that shows a repeated send twice."""

    known: list[KnownMessages] = field(default_factory=list)  # when copies were looked for

    async def remove_duplicate(self, place: Place, message_id: str, known: KnownMessages) -> None:
        self.known.append(known)


@pytest.mark.parametrize(("ahead", "earlier"), [(0.0, {"m1", "m2", "bot1"}), (7_200.0, {"m2"})])
async def test_what_came_after_it_is_not_taken_for_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float, earlier: set[str]
) -> None:
    """Else nothing would be looked for between: the second copy would stay."""
    chat, engine = Repeating(), ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        await rig.say("first")
        await rig.finals(1)
        ahead_first = iter([ahead])
        monkeypatch.setattr(sender, "time", lambda: time() + next(ahead_first, 0.0))
        chat.lost = 1
        await rig.say("second")
        await rig.until(lambda: bool(chat.known))
    assert chat.known[0].earlier == earlier
