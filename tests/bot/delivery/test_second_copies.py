"""Of a send that was carried out unheard the first copy is looked for, whatever the clock said then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from time import time

import pytest

from bot.delivery import sender
from bot.message import Address, Invocation, Place
from bot.platform import EditBudget, KnownMessages, Limits, Outgoing
from bot.store.database import sqlite_url
from tests.bot.rig import Chat, ScriptedEngine, echo, running


@dataclass
class Repeating(Chat):
    """A chat that shows a repeated send twice."""

    known: list[KnownMessages] = field(default_factory=list)  # when copies were looked for
    cut: str = ""  # the next send ends in nothing: `before` it is carried out, or `after`
    was_cut: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        cut, self.cut = self.cut, ""
        name = "" if cut == "before" else await super().send(place, message, reply_to=reply_to, nonce=nonce)
        if cut:
            self.was_cut.set()
            await asyncio.Event().wait()
        return name

    async def remove_duplicate(self, place: Place, message_id: str, known: KnownMessages) -> None:
        self.known.append(known)
        for name in self.messages.keys() - known.ours - known.earlier - {message_id}:
            await self.delete(place, name)


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


# With room for it a group's answer is shown as it grows, and its first message recorded ahead; without, with its end.
@pytest.mark.parametrize("budget", [EditBudget(1_000, 1.0), EditBudget(1, 0.01)], ids=["growing", "whole"])
@pytest.mark.parametrize("cut", ["before", "after"])
async def test_an_answer_whose_send_a_kill_cut_off_stands_there_once(tmp_path: Path, budget: EditBudget, cut: str) -> None:
    limits = Limits(text=200, budget=budget, ends_directly=True, reacts=True)
    url, chat, engine = sqlite_url(tmp_path / "gander.db"), Repeating(limits=limits), ScriptedEngine(echo)
    engine.gate.set()
    async with running(url, tmp_path, engine, chat) as rig:
        await rig.say("first")
        await rig.finals(1)
        chat.cut = cut
        await rig.say("second")
        await rig.until(chat.was_cut.is_set)
    async with running(url, tmp_path, engine, chat) as rig:
        await rig.until(lambda: len(chat.known) == 1 and len(chat.finals()) == 2)
    assert [message.text for message in chat.messages.values()] == ["You asked: first", "You asked: second"]


async def test_a_send_that_was_recorded_long_before_it_is_recorded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a copy of it would be looked for from too early on, and all that others said since stood in between."""
    monkeypatch.setattr(sender, "FRESH_SECONDS", 0.0)
    limits = Limits(text=200, budget=EditBudget(1_000, 1.0), ends_directly=True)
    chat, engine = Repeating(limits=limits), ScriptedEngine(echo)
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        await rig.say("first")
        await rig.until(lambda: engine.running == 1)
        told = await rig.say(address=Address.COMMAND, command=Invocation("status"))
        await rig.finals(1)
        chat.lost = 1
        engine.gate.set()
        await rig.until(lambda: bool(chat.known))
    assert {told.id, "bot1"} <= chat.known[0].earlier
