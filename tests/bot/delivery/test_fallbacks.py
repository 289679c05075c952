"""What can't be delivered as it was meant is said anew or says why not; what a person took away stays away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from bot.platform import EditBudget, Limits
from bot.store import deliveries
from bot.store.database import sqlite_url
from engine.api import ChatRequest
from tests.bot.rig import Chat, Rig, ScriptedEngine, Valve, running
from tests.bot.samples import PLACE

BLOCKED = "The moderation of this server (AutoMod) does not let my answer pass."


def goose(request: ChatRequest) -> list[str]:
    return ["One ", "white ", "goose."]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """An answer can be seen to begin: its first word comes, and the others when the gate is opened."""
    engine = ScriptedEngine(goose, gate=Valve(1))
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        yield rig


async def begun(rig: Rig) -> str:
    """The id of the message in which an answer grows."""
    await rig.say("tell me a story")
    await rig.until(lambda: bool(rig.chat.messages))
    message = next(iter(rig.chat.messages))
    while not await rig.database.read(deliveries.answers_in, PLACE, message):  # noqa: ASYNC110  # the store decides
        await asyncio.sleep(0.01)
    return message


async def told(rig: Rig) -> list[str]:
    """Everything that stands there once the next question is answered."""
    rig.engine.gate.set()
    rig.engine.reply = lambda _: ["done"]
    await rig.say("and now?")
    await rig.until(lambda: "done" in rig.chat.finals())
    return [message.text for message in rig.chat.messages.values() if message.text != "done"]


async def test_a_growing_answer_that_somebody_deletes_ends_and_does_not_come_back(rig: Rig) -> None:
    await rig.chat.delete(PLACE, await begun(rig))
    assert isinstance(rig.engine.gate, Valve)
    rig.engine.gate.let(1)
    await rig.until(lambda: rig.engine.running == 0)  # nobody goes on writing it
    assert await told(rig) == []


async def test_an_answer_whose_deletion_the_platform_tells_ends_at_once(rig: Rig) -> None:
    message = await begun(rig)
    await rig.chat.delete(PLACE, message)
    assert await rig.core.withdraw(PLACE, message, answers=True) == ()
    await rig.until(lambda: rig.engine.running == 0)
    assert await told(rig) == []


async def test_what_was_deleted_while_the_bot_was_down_stays_away(tmp_path: Path) -> None:
    chat, url = Chat(), sqlite_url(tmp_path / "gander.db")
    async with running(url, tmp_path, ScriptedEngine(goose, gate=Valve(1)), chat) as rig:
        await begun(rig)
    chat.messages.clear()
    async with running(url, tmp_path, ScriptedEngine(goose), chat) as rig:
        await rig.until(lambda: bool(rig.engine.requests))
        rig.ids = count(100)
        assert await told(rig) == []


async def test_a_part_of_a_long_answer_that_somebody_deletes_does_not_come_back(tmp_path: Path) -> None:
    long = [f"goose {number} " for number in range(60)]
    chat = Chat(limits=Limits(text=200, budget=EditBudget(1_000, 1.0)))
    engine = ScriptedEngine(lambda _: long, gate=Valve(40))
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        await rig.say("count")
        await rig.until(lambda: len(chat.messages) == 2 and "goose 39" in [*chat.messages.values()][1].text)
        await chat.delete(PLACE, [*chat.messages][1])
        left = await told(rig)
    assert [text.split()[:2] for text in left] == [["goose", "0"]]


async def test_what_can_not_be_changed_is_said_anew_once_when_it_is_whole(rig: Rig) -> None:
    frozen = await begun(rig)
    rig.chat.frozen.add(frozen)
    assert await told(rig) == ["One white goose."]
    assert frozen not in rig.chat.messages


async def test_an_answer_that_moderation_blocks_says_so_with_its_buttons(rig: Rig) -> None:
    await begun(rig)
    rig.chat.unspeakable = "white"
    assert await told(rig) == [BLOCKED]
    assert rig.chat.answer(BLOCKED).buttons


async def test_a_repeated_send_is_not_believed_to_say_the_newer_words(tmp_path: Path) -> None:
    """The platform carried out the first send, and returns what it said then."""
    chat = Chat(limits=Limits(text=200, budget=EditBudget(1_000, 1.0), deduplicates=True))
    engine = ScriptedEngine(goose, gate=Valve(1))
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        chat.lost = 1
        await rig.say("tell me a story")
        await rig.until(lambda: chat.lost == 0)
        engine.gate.set()
        await rig.until(lambda: chat.finals() == ["One white goose."])
    assert len(chat.messages) == 1
