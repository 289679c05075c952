"""What is deleted is deleted in the engines, too, even if they are away at first, or the bot is started anew meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from bot.engines import forget
from bot.message import Address, Invocation
from bot.store import owed_forgets
from bot.store.database import sqlite_url
from tests.bot.rig import GOOSE, Rig, ScriptedEngine, attachment, echo, message, running
from tests.bot.samples import ANN, BEN


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_SECONDS", "AFTER_SECONDS", "REPLY_SECONDS"):
        monkeypatch.setattr(forget, name, 0.01)


async def test_an_engine_that_is_away_forgets_when_it_is_back(rig: Rig, tmp_path: Path) -> None:
    await rig.say("What?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    [shown] = [path.name for path in (tmp_path / "pictures").rglob("*") if path.is_file()]
    rig.engine.away = True
    with structlog.testing.capture_logs() as lines:
        await rig.core.actions.forget(message("f1", author=ANN))
        await rig.until(lambda: any(line["event"] == "engine_keeps_deleted" for line in lines))
    rig.engine.away = False
    await rig.until(lambda: bool(rig.engine.forgotten))
    assert rig.engine.forgotten[0] == (shown,)


async def test_what_was_being_answered_meanwhile_is_forgotten_after_it(rig: Rig) -> None:
    rig.engine.gate.clear()
    await rig.say("Another's, which goes on", author=BEN)
    await rig.until(lambda: bool(rig.engine.requests))
    await rig.say("Mine", author=ANN)
    await rig.core.actions.forget(message("f1", author=ANN))
    await rig.until(lambda: len(rig.engine.forgotten) == 1)
    async with asyncio.timeout(90):
        while await rig.database.read(owed_forgets.engines_owed):  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)
    assert await rig.database.read(owed_forgets.owed, "gander")  # a bot that is killed now tells it again
    rig.engine.gate.set()
    await rig.until(lambda: len(rig.engine.forgotten) == 2)
    assert rig.engine.running == 0


async def test_what_is_owed_survives_restarts_and_another_engine(tmp_path: Path) -> None:
    """The reply says so; an engine that comes instead is told, too; and once each has confirmed it, nothing is owed."""
    url, engine = sqlite_url(tmp_path / "gander.db"), ScriptedEngine(echo)
    engine.gate.set()
    async with running(url, tmp_path, engine) as rig:
        await rig.say("What?", attachments=(attachment(GOOSE),))
        await rig.finals(1)
        engine.away = True
        confirmed = Invocation("forget", {"asker": ANN.id})
        await rig.say(author=ANN, address=Address.COMMAND, command=confirmed)
        done = " ".join(await rig.finals(3))  # cut into two messages
        assert "Deleted: 2 messages, 1 pictures.\nOne engine can't be reached" in done
    engine.away, other = False, ScriptedEngine(echo, name="http://other")
    other.gate.set()
    async with running(url, tmp_path, other) as rig:
        await rig.until(lambda: len(other.forgotten) == 2)
        await until_confirmed(rig, other.name)  # a bot that ends before it stored that would tell it once more
        assert await rig.database.read(owed_forgets.engines_owed) == 1
    async with running(url, tmp_path, engine) as rig:
        await rig.until(lambda: len(engine.forgotten) == 2)
        assert engine.forgotten[0] == other.forgotten[0] != ()
        await until_confirmed(rig, engine.name)
        assert not await rig.database.read(owed_forgets.owed, "gander")
    async with running(url, tmp_path, engine) as rig:
        await rig.say("Others ask on", author=BEN)
        await rig.finals(1)
        assert len(engine.forgotten) == 2


async def until_confirmed(rig: Rig, engine: str) -> None:
    async with asyncio.timeout(90):
        while any(each.engine == engine for each in await rig.database.read(owed_forgets.owed, "gander")):  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)
