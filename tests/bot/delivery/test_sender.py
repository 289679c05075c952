"""What is for one person alone is shown to nobody else: it goes another way to them, or they are asked to ask again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config.schema import LimitOptions
from bot.message import Address, Invocation, Place
from bot.platform import Outgoing
from bot.store.database import sqlite_url
from tests.bot.rig import Lobby, Rig, ScriptedEngine, echo, message, running
from tests.bot.samples import BEN

AGAIN = "Ann: I can't show you my answer without showing it to everybody. Give the command again, please."
SLOW = LimitOptions(burst=1, cooldown_seconds=3_600)
CHAT = Place("web", "chat with ann", private=True)


@pytest.fixture
def lobby() -> Lobby:
    return Lobby()


@pytest.fixture
async def rig(tmp_path: Path, lobby: Lobby) -> AsyncIterator[Rig]:
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, ScriptedEngine(echo), lobby) as rig:
        yield rig


async def command(rig: Rig, name: str, event: str, *, unseen: bool = True) -> None:
    await rig.core.handle(message(event, address=Address.COMMAND, command=Invocation(name), unseen=unseen))


async def test_a_private_reply_is_shown_to_its_reader_with_all_its_parts(rig: Rig, lobby: Lobby) -> None:
    await command(rig, "help", "e")
    await rig.until(lambda: len(lobby.messages) > 3)
    assert lobby.public() == []
    assert set(lobby.replies.values()) == {"e"}


async def test_what_can_not_be_shown_privately_is_sent_as_a_direct_message(rig: Rig, lobby: Lobby) -> None:
    lobby.wayless.add("e")
    await command(rig, "status", "e")
    await rig.until(lambda: bool(lobby.messages))
    assert [*lobby.places.values()] == [CHAT]


@pytest.mark.parametrize(("name", "shut"), [("status", True), ("forget", False)], ids=["nor written to", "to be pressed here"])
async def test_who_can_not_be_told_alone_is_asked_to_ask_again(rig: Rig, lobby: Lobby, name: str, *, shut: bool) -> None:
    lobby.wayless.add("e")
    lobby.shut = shut
    await command(rig, name, "e")
    await rig.until(lambda: bool(lobby.messages))
    assert [each.text for each in lobby.public()] == [AGAIN]
    assert len(lobby.messages) == 1


async def test_what_was_asked_where_all_see_it_is_answered_there(rig: Rig, lobby: Lobby) -> None:
    await command(rig, "status", "e", unseen=False)
    await rig.until(lambda: bool(lobby.messages))
    assert len(lobby.public()) == 1


async def test_a_secret_that_was_asked_for_where_all_see_it_is_told_elsewhere(rig: Rig, lobby: Lobby) -> None:
    typed = message("e", address=Address.COMMAND, command=Invocation("demo"))
    assert rig.core.actions.tell_privately(typed, Outgoing("the key"))
    await rig.until(lambda: bool(lobby.messages))
    assert lobby.public() == []
    assert [*lobby.places.values()] == [CHAT]


async def test_a_private_reply_that_a_kill_cut_off_finds_its_reader_at_the_next_start(tmp_path: Path, lobby: Lobby) -> None:
    url = sqlite_url(tmp_path / "gander.db")
    async with running(url, tmp_path, ScriptedEngine(echo), Lobby()) as rig:
        rig.core.detach(rig.chat)
        await command(rig, "status", "e")
    lobby.wayless.add("e")
    async with running(url, tmp_path, ScriptedEngine(echo), lobby) as rig:
        await rig.until(lambda: bool(lobby.messages))
        assert [*lobby.places.values()] == [CHAT]


async def test_who_is_too_fast_hears_it_each_time_where_nobody_else_does(tmp_path: Path, lobby: Lobby) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, lobby, SLOW) as rig:
        for number in range(4):
            await command(rig, "status", f"e{number}")
        await rig.until(lambda: len(lobby.messages) == 4)
        assert sum("A little slower" in each.text for each in lobby.messages.values()) == 3
        for number in range(3):
            await command(rig, "status", f"m{number}", unseen=False)
        await rig.say("done?", author=BEN)
        await rig.until(lambda: "You asked: done?" in [each.text for each in lobby.public()])
        await rig.until(lambda: any("2 more of yours" in each.text for each in lobby.public()))
        assert len(lobby.public()) == 2  # one message for all that Ann did too fast where others see it
