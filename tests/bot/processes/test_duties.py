"""A duty is one bot's at a time, and another's as soon as that is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from bot.errors import DutyLost
from bot.processes import duties
from bot.processes.duties import Duties, DutyLock, MoreDuties, _watch
from bot.store.database import sqlite_url
from tests.bot.postgres import Server

HERE = "FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE locktype = 'advisory' AND datname = current_database()"
LOCKS = f"SELECT count(*) {HERE}"
END = f"SELECT count(pg_terminate_backend(pid)) {HERE}"  # the connections that have them


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRY_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(duties, name, 0.02)


async def hold(url: str, held: asyncio.Event, over: asyncio.Event, duty: str = "polling") -> None:
    async with Duties(url).holding(duty):
        held.set()
        await over.wait()


async def test_a_duty_is_one_bot_s_and_goes_to_the_next(postgres_url: str) -> None:
    first, second, other, over, end = (asyncio.Event() for _ in range(5))
    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(postgres_url, first, over))
        await first.wait()
        tasks.create_task(hold(postgres_url, second, end))
        tasks.create_task(hold(postgres_url, other, end, "another"))
        await other.wait()
        assert not second.is_set()
        over.set()
        await second.wait()
        end.set()


async def test_a_duty_outlasts_its_connection_where_nobody_else_wants_it(postgres_server: Server, postgres_url: str) -> None:
    """As when the database restarts: a platform's connection need not be cut for that."""
    held, over = asyncio.Event(), asyncio.Event()
    holding = asyncio.create_task(hold(postgres_url, held, over))
    await held.wait()
    assert await asyncio.to_thread(postgres_server.ask, postgres_url, END) == "1"
    async with asyncio.timeout(90):
        while await asyncio.to_thread(postgres_server.ask, postgres_url, LOCKS) != "1":  # noqa: ASYNC110 - the server decides
            await asyncio.sleep(0.02)
    assert not holding.done()
    over.set()
    await holding


async def test_who_lost_a_duty_stops(postgres_server: Server, postgres_url: str) -> None:
    url = make_url(postgres_url).set(drivername="postgresql+asyncpg")
    mine, other = DutyLock(url, "polling"), DutyLock(url, "polling")
    assert (await mine.is_mine(), await other.is_mine()) == (True, False)
    await asyncio.to_thread(postgres_server.ask, postgres_url, END)
    async with asyncio.timeout(90):
        while not await other.is_mine():  # noqa: ASYNC110 - the server decides
            await asyncio.sleep(0.02)
        with pytest.raises(DutyLost, match="polling"):
            await _watch(mine)
    for each in (mine, other):
        await each.release()


async def test_a_database_that_is_away_is_waited_for() -> None:
    waiting = asyncio.create_task(hold("postgresql://nobody@127.0.0.1:9/nowhere", asyncio.Event(), asyncio.Event()))
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_who_collects_duties_has_the_free_ones_at_once_and_the_others_when_they_are(postgres_url: str) -> None:
    taken, over = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(postgres_url, taken, over, "shard 0"))
        await taken.wait()
        async with Duties(postgres_url).collecting(("shard 0", "shard 1")) as held:
            assert await held.settled() == ["shard 1"]
            over.set()
            with pytest.raises(MoreDuties):
                await held.until_more()
            assert await held.settled() == ["shard 1", "shard 0"]


async def test_on_sqlite_the_one_bot_has_every_duty(tmp_path: Path) -> None:
    held, over = asyncio.Event(), asyncio.Event()
    over.set()
    await hold(sqlite_url(tmp_path / "gander.db"), held, over)
    assert held.is_set()
