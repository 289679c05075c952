"""Where there is no page to link to, the button below an answer shows a picture, in words too: to its presser alone where that goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio
from PIL import Image

from bot.message import Address, Invocation
from bot.store.database import sqlite_url
from tests.bot.insight.explained import explained
from tests.bot.rig import GOOSE, Lobby, Rig, ScriptedEngine, attachment, echo, running
from tests.bot.samples import BEN

GONE = "How that answer came about I can't say any more"


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(echo, explained=explained())
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat=Lobby()) as rig:
        yield rig


async def pressed(rig: Rig, command: str, answer: int) -> None:
    """As Ben presses a button of Ann's answer: nobody else sees that he does."""
    await rig.say(author=BEN, address=Address.COMMAND, command=Invocation(command, {"answer_id": answer}), unseen=True)


async def test_the_button_below_an_answer_shows_how_it_came_about(rig: Rig) -> None:
    lobby = rig.chat
    assert isinstance(lobby, Lobby)
    lobby.limits = replace(lobby.limits, private_files=True)
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    answer = lobby.answer("You asked: what is it?")
    [button] = answer.actions
    assert (button.label, button.command, button.url) == ("How?", f"/how answer_id:{answer.answer_id}", "")
    assert answer.answer_id is not None
    await pressed(rig, "how", answer.answer_id)
    await rig.until(lambda: any(message.files for message in lobby.messages.values()))
    [name] = [name for name, message in lobby.messages.items() if message.files]
    shown = lobby.messages[name]
    assert name in lobby.private_messages
    assert shown.alt.splitlines()[1:] == [
        "1. “A”: 75 % likely; it looked mostly at the upper left.",
        "2. “<i>cat”: 75 % likely; it looked mostly at the lower right.",
    ]
    with Image.open(shown.files[0]) as drawn:
        assert drawn.width > 3 * 300 > 2 * drawn.height  # three tiles: the picture, and two words
    lobby.limits = replace(lobby.limits, private_files=False)
    await pressed(rig, "how", answer.answer_id)
    await rig.until(lambda: sum(bool(message.files) for message in lobby.public()) == 1)
    rig.core.explainer.forget([])
    await pressed(rig, "how", answer.answer_id)
    await rig.until(lambda: any(GONE in text for text in lobby.finals()))


async def test_what_is_covered_stays_so_and_what_the_engine_can_not_say_is_said(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE, spoiler=True),))
    await rig.finals(1)
    await rig.press("how")
    await rig.until(lambda: any("a covered picture" in text for text in rig.chat.finals()))
    rig.engine.explained = None
    await rig.say("and this?", attachments=(attachment(GOOSE),))
    await rig.until(lambda: any(text == "You asked: and this?" for text in rig.chat.finals()))
    await rig.press("how")
    await rig.until(lambda: any("can't say how its answers" in text for text in rig.chat.finals()))
    assert not any(message.files for message in rig.chat.messages.values())
