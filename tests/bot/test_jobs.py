"""A job is answered once, by one bot, and comes back when its bot or its engine dies."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from bot import jobs
from bot.contracts import Knobs, Load
from bot.message import Place
from bot.store import graph
from bot.store.database import Database
from bot.store.tables import Finish, MessageRow
from tests.bot.samples import ANN, BEN, PLACE, ask

WEB = ("web",)


async def test_a_claimed_job_is_claimed_once_and_keeps_its_settings(database: Database) -> None:
    waiting = await ask(database, "what is it?")
    async with database.write() as connection:
        job = await jobs.claim(connection, waiting.id, "one", at=1.0)
        assert job is not None
        assert job.knobs == replace(Knobs(), beams=2)
        assert await jobs.claim(connection, waiting.id, "two", at=1.0) is None
        assert await jobs.heads(connection, WEB) == ()


async def test_heads_are_each_persons_oldest_in_each_channel(database: Database) -> None:
    first = await ask(database, "one")
    await ask(database, "two")
    ben = await ask(database, "three", author=BEN)
    elsewhere = await ask(database, "four", place=Place("web", "pond"))
    await ask(database, "five", place=Place("discord", "pond"))
    async with database.read() as connection:
        assert await jobs.heads(connection, WEB) == (first, ben, elsewhere)
        assert len(await jobs.line(connection)) == 5


async def test_a_follow_up_waits_for_what_it_follows(database: Database) -> None:
    first = await ask(database, "one")
    second = await ask(database, "two", parent=first.answer, author=BEN)
    async with database.write() as connection:
        assert await jobs.heads(connection, WEB) == (first,)
        job = await jobs.claim(connection, first.id, "me", at=1.0)
        assert job is not None
        assert await jobs.commit(connection, job, "me", "a goose", Finish.STOP, "")
        assert await jobs.heads(connection, WEB) == (second,)


async def test_an_answer_is_committed_once(database: Database) -> None:
    waiting = await ask(database, "what is it?")
    async with database.write() as connection:
        job = await jobs.claim(connection, waiting.id, "dead", at=1.0)
        assert job is not None
        assert await jobs.recover(connection, stale=2.0) == 1
        taken = await jobs.claim(connection, waiting.id, "me", at=3.0)
        assert taken is not None
        assert not await jobs.commit(connection, job, "dead", "a duck", Finish.STOP, "")
        assert await jobs.commit(connection, taken, "me", "a goose", Finish.STOP, "")
        assert not await jobs.commit(connection, taken, "me", "a swan", Finish.STOP, "")
        assert await connection.scalar(select(MessageRow.text).where(MessageRow.id == job.answer)) == "a goose"


async def test_a_living_bots_jobs_are_left_to_it(database: Database) -> None:
    waiting = await ask(database, "what is it?")
    async with database.write() as connection:
        await jobs.claim(connection, waiting.id, "other", at=1.0)
        await jobs.beat(connection, "other", at=10.0)
        assert await jobs.recover(connection, stale=5.0, restarted="me") == 0


async def test_a_lost_answer_is_counted_and_waits_again(database: Database) -> None:
    waiting = await ask(database, "what is it?")
    async with database.write() as connection:
        for losses, lost in ((0, False), (0, True), (1, True)):
            job = await jobs.claim(connection, waiting.id, "me", at=1.0)
            assert job is not None
            assert job.losses == losses
            await jobs.release(connection, job, "me", lost=lost)


async def test_what_is_answered_is_owed_until_it_is_delivered(database: Database) -> None:
    waiting = await ask(database, "what is it?")
    async with database.write() as connection:
        job = await jobs.claim(connection, waiting.id, "me", at=1.0)
        assert job is not None
        await jobs.commit(connection, job, "me", "a goose", Finish.STOP, "")
        assert await jobs.owed(connection, ("discord",), "me", at=2.0, stale=0.0) == ()
        assert await jobs.owed(connection, WEB, "other", at=2.0, stale=0.0) == ()
        assert await jobs.owed(connection, WEB, "other", at=20.0, stale=10.0) == (job,)
        await jobs.done(connection, job.id)
        assert await jobs.owed(connection, WEB, "other", at=30.0, stale=30.0) == ()


async def test_stopping_what_waits_and_what_runs(database: Database) -> None:
    runs, waits = await ask(database, "one"), await ask(database, "two")
    async with database.write() as connection:
        job = await jobs.claim(connection, runs.id, "other", at=1.0)
        assert await jobs.open_answers(connection, ANN.key, PLACE.key) == (runs.answer, waits.answer)
        running, stopped = await jobs.cancel(connection, [runs.answer, waits.answer], "me", at=2.0)
        assert (running, [s.id for s in stopped]) == (frozenset({runs.id}), [waits.id])
        assert await jobs.beat(connection, "other", at=3.0) == {runs.id}
        assert job is not None
        assert await jobs.commit(connection, job, "other", "half an", Finish.STOPPED, "")
        assert await jobs.open_answers(connection, ANN.key, PLACE.key) == ()


async def test_load_counts_what_is_open(database: Database) -> None:
    await ask(database, "one")
    await ask(database, "two", author=BEN)
    async with database.write() as connection:
        assert await jobs.load(connection, ANN.key) == Load(mine=1, overall=2)
        await graph.forget(connection, ANN.key)
        assert await jobs.load(connection, ANN.key) == Load(mine=0, overall=1)
