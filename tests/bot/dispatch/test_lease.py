"""A bot that was away itself takes nobody for dead, and bots that share engines leave each other their share."""

from __future__ import annotations

from itertools import count
from math import inf
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.dispatch import dispatcher, lease
from bot.dispatch.lease import DEAD_SECONDS, HEARTBEAT_SECONDS, Lease, allowed_rows
from bot.message import Author, Place
from bot.store.database import Database
from bot.store.jobs import OwnersLoad
from bot.store.tables import JobRow
from tests.bot.rig import Chat, ScriptedEngine, Valve, echo, message, running


async def test_who_was_away_itself_gives_the_others_time(database: Database) -> None:
    assert DEAD_SECONDS > 2 * HEARTBEAT_SECONDS
    now = 0.0
    mine = Lease(database, "me", lambda: now)
    assert mine.dead_after == inf
    await mine.renew(("web",), ())
    now = DEAD_SECONDS - 1
    assert mine.dead_after == DEAD_SECONDS
    now = DEAD_SECONDS + 1  # the database was away
    assert mine.dead_after == inf
    await mine.renew(("web",), ())
    assert mine.dead_after == DEAD_SECONDS


@pytest.mark.parametrize(
    ("loads", "allowed"),
    [
        ({"me": OwnersLoad(3, 30)}, 10),
        ({"me": OwnersLoad(3, 30), "other": OwnersLoad(1, 1)}, 9),  # what the others need is little
        ({"me": OwnersLoad(1, 30), "other": OwnersLoad(4, 40)}, 2),  # a person here counts as much as one there
        ({"me": OwnersLoad(1, 1), "other": OwnersLoad(99, 99)}, 1),
        ({"other": OwnersLoad(4, 40)}, 10),  # nobody asks here
        ({}, 10),
    ],
)
def test_rows_are_shared_by_people_and_none_is_left_idle(loads: dict[str, OwnersLoad], allowed: int) -> None:
    assert allowed_rows(10, "me", loads) == allowed


async def test_a_busy_bot_leaves_room_on_engines_that_it_shares(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six people ask one bot and two another, on engines of four rows: three are answered here at once, and one there."""
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.02)
    busy, calm = ScriptedEngine(echo, rows=4), ScriptedEngine(echo, rows=4)
    async with (
        running(postgres_url, tmp_path / "one", busy, name="one", shares_engines=True) as one,
        running(postgres_url, tmp_path / "two", calm, Chat(ids=count(100)), name="two", shares_engines=True) as two,
    ):
        for name in ("ben", "bea"):
            await two.core.handle(message(name, "and?", author=Author("web", name, name), place=Place("web", name)))
        await two.until(lambda: calm.running == 2)  # nobody else asks
        await one.say("why?", author=Author("web", "a0", "Ann"), place=Place("web", "a0"))
        await one.until(lambda: one.core._pool.allowed == 2)
        for number in range(1, 6):
            await one.say("why?", author=Author("web", f"a{number}", "Ann"), place=Place("web", f"a{number}"))
        await one.until(lambda: busy.running == 3)
        await two.until(lambda: two.core._pool.allowed == 1)
        assert busy.most == 3
        for engine in (busy, calm):
            engine.gate.set()
        assert len(await one.finals(6)) == 6
        assert len(await two.finals(2)) == 2


async def test_a_bot_that_was_taken_for_dead_leaves_the_end_that_another_showed(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped for a while, and goes on with its answer after another bot has ended it in the same message."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 3_600.0)
    valve, chat = Valve(1), Chat()
    stopped, other = ScriptedEngine(echo, gate=valve), ScriptedEngine(echo)
    other.gate.set()
    async with running(postgres_url, tmp_path / "one", stopped, chat, name="one") as one:
        await one.say("why?")
        await one.until(lambda: len(chat.messages) == 1)
        await one.database.write(lambda connection: connection.execute(update(JobRow).values(heartbeat=0)).close())
        monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.02)
        async with running(postgres_url, tmp_path / "two", other, chat, name="two") as two:
            assert await two.finals(1) == ["You asked: why?"]
            valve.let(1)
            await one.until(lambda: not chat.finals())
            valve.set()
            assert await one.finals(1) == ["You asked: why?"]
            assert len(chat.messages) == 1
