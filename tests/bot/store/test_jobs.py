"""A job is answered once, by one bot, and comes back when its bot or its engine dies."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf
from time import time

from sqlalchemy import Connection, select, update

from bot.answer_settings import AnswerSettings
from bot.message import Place
from bot.store import forgetting, jobs
from bot.store.database import Database, DatabaseTime, PostgresDatabase, open_database
from bot.store.jobs import OwnersLoad, QueueLoad
from bot.store.retrying import RetryingDatabase
from bot.store.tables import Finish, JobRow, MessageRow
from tests.bot.samples import ANN, BEN, PLACE, ask

WEB = ("web",)


def age(connection: Connection, job: int, seconds: float) -> None:
    """The job's owner has said nothing for so long."""
    connection.execute(update(JobRow).where(JobRow.id == job).values(heartbeat=JobRow.heartbeat - seconds))


async def test_a_claimed_job_is_claimed_once_and_keeps_its_settings(database: Database) -> None:
    waiting = await ask(database, "what is it?")

    def work(connection: Connection) -> None:
        job = jobs.fetch_job(connection, waiting.id, "one", at=1.0)
        assert job is not None
        assert job.settings == replace(AnswerSettings(), beams=2)
        assert jobs.fetch_job(connection, waiting.id, "two", at=1.0) is None
        assert jobs.fetchable(connection, WEB, "me", inf) == ()

    await database.write(work)


async def test_fetchable_is_each_persons_oldest_in_each_channel(database: Database) -> None:
    first = await ask(database, "one")
    await ask(database, "two")
    ben = await ask(database, "three", author=BEN)
    elsewhere = await ask(database, "four", place=Place("web", "pond"))
    await ask(database, "five", place=Place("discord", "pond"))

    def work(connection: Connection) -> None:
        assert jobs.fetchable(connection, WEB, "me", inf) == (first, ben, elsewhere)
        assert len(jobs.all_waiting(connection)) == 5

    await database.read(work)


async def test_a_follow_up_waits_for_what_it_follows(database: Database) -> None:
    first = await ask(database, "one")
    second = await ask(database, "two", parent=first.answer, author=BEN)

    def work(connection: Connection) -> None:
        assert jobs.fetchable(connection, WEB, "me", inf) == (first,)
        job = jobs.fetch_job(connection, first.id, "me", at=1.0)
        assert job is not None
        assert jobs.save_answer(connection, job, "me", "a goose", Finish.STOP, "", 1.0)
        assert jobs.fetchable(connection, WEB, "me", inf) == (second,)

    await database.write(work)


async def test_an_answer_is_committed_once(database: Database) -> None:
    waiting = await ask(database, "what is it?")

    def work(connection: Connection) -> None:
        job = jobs.fetch_job(connection, waiting.id, "dead", at=1.0)
        assert job is not None
        age(connection, job.id, 20)
        assert jobs.prune_stalled_workers(connection, 30, "me") == 0
        assert jobs.prune_stalled_workers(connection, 10, "me") == 1
        taken = jobs.fetch_job(connection, waiting.id, "me", at=3.0)
        assert taken is not None
        assert taken.attempts == 1
        assert not jobs.save_answer(connection, job, "dead", "a duck", Finish.STOP, "", 1.0)
        assert jobs.save_answer(connection, taken, "me", "a goose", Finish.STOP, "", 1.0)
        assert not jobs.save_answer(connection, taken, "me", "a swan", Finish.STOP, "", 1.0)
        assert connection.scalar(select(MessageRow.text).where(MessageRow.id == job.answer)) == "a goose"

    await database.write(work)


async def test_a_living_bots_jobs_are_left_to_it(database: Database) -> None:
    waiting = await ask(database, "what is it?")

    def work(connection: Connection) -> None:
        jobs.fetch_job(connection, waiting.id, "other", at=1.0)
        age(connection, waiting.id, 20)
        jobs.heartbeat(connection, "other", WEB)
        assert jobs.prune_stalled_workers(connection, 10, "me") == 0
        age(connection, waiting.id, 20)
        jobs.heartbeat(connection, "other", ("discord",))  # it lost the connection to the job's platform
        assert jobs.prune_stalled_workers(connection, 10, "me") == 1

    await database.write(work)


async def test_a_lost_answer_waits_again_and_only_the_bot_s_own_deaths_are_counted(database: Database) -> None:
    waiting = await ask(database, "what is it?")

    def work(connection: Connection) -> None:
        for attempts in (0, 0):
            job = jobs.fetch_job(connection, waiting.id, "me", at=1.0)
            assert job is not None
            assert job.attempts == attempts
            jobs.retry_job(connection, job, "me")
        jobs.fetch_job(connection, waiting.id, "me", at=1.0)
        jobs.prune_stalled_workers(connection, 10, "me")
        job = jobs.fetch_job(connection, waiting.id, "me", at=1.0)
        assert job is not None
        assert job.attempts == 1

    await database.write(work)


async def test_what_is_answered_is_owed_until_it_is_delivered(database: Database) -> None:
    waiting = await ask(database, "what is it?")

    def work(connection: Connection) -> None:
        job = jobs.fetch_job(connection, waiting.id, "me", at=1.0)
        assert job is not None
        jobs.save_answer(connection, job, "me", "a goose", Finish.STOP, "", 1.0)
        assert jobs.undelivered(connection, ("discord",), "me", 10) == ()
        assert jobs.undelivered(connection, WEB, "other", 10) == ()
        age(connection, job.id, 20)
        assert jobs.undelivered(connection, WEB, "other", 10) == (job,)
        assert jobs.undelivered(connection, WEB, "third", 10) == ()  # it is the other's now
        jobs.finish_jobs(connection, [job.id])
        assert jobs.undelivered(connection, WEB, "other", 10) == ()

    await database.write(work)


async def test_stopping_what_waits_and_what_runs(database: Database) -> None:
    runs, waits = await ask(database, "one"), await ask(database, "two")

    def work(connection: Connection) -> None:
        job = jobs.fetch_job(connection, runs.id, "other", at=1.0)
        assert jobs.unfinished(connection, person=ANN.key, places=[PLACE.key]) == (runs.answer, waits.answer)
        running, stopped = jobs.cancel_jobs(connection, [runs.answer, waits.answer], "me")
        assert (running, [s.id for s in stopped]) == (frozenset({runs.id}), [waits.id])
        assert jobs.heartbeat(connection, "other", WEB) == {runs.id}
        assert job is not None
        assert jobs.save_answer(connection, job, "other", "half an", Finish.STOPPED, "", 1.0)
        assert jobs.unfinished(connection, person=ANN.key, places=[PLACE.key]) == ()

    await database.write(work)


async def test_load_counts_what_is_open(database: Database) -> None:
    await ask(database, "one")
    await ask(database, "two", author=BEN)

    def work(connection: Connection) -> None:
        assert jobs.load(connection, ANN.key) == QueueLoad(mine=1, overall=2)
        forgetting.forget(connection, ANN.key, str)
        assert jobs.load(connection, ANN.key) == QueueLoad(mine=0, overall=1)

    await database.write(work)


async def test_a_person_s_earlier_question_is_waited_for_until_its_bot_is_dead(database: Database) -> None:
    """Else a bot that goes on in another's place would answer them in another order than they were asked."""
    first, second = await ask(database, "one", owner="other"), await ask(database, "two")

    def work(connection: Connection) -> None:
        assert jobs.fetchable(connection, WEB, "me", 10) == ()
        age(connection, first.id, 20)
        assert jobs.fetchable(connection, WEB, "me", 10) == (first,)
        assert jobs.fetch_job(connection, first.id, "me", at=1.0) is not None
        assert jobs.fetchable(connection, WEB, "me", 10) == (second,)

    await database.write(work)


async def test_what_living_bots_have_in_the_queue(database: Database) -> None:
    mine, _, dead = await ask(database, "one"), await ask(database, "two", author=BEN), await ask(database, "three", owner="dead")

    def work(connection: Connection) -> None:
        age(connection, dead.id, 20)
        assert jobs.loads(connection, 10) == {"me": OwnersLoad(people=2, rows=2 * mine.rows)}

    await database.write(work)


async def test_the_database_tells_the_time(database: Database) -> None:
    told = await database.read(lambda connection: connection.scalar(select(DatabaseTime())))
    assert told is not None
    assert abs(told - time()) < 60


async def test_bots_that_claim_at_once_claim_each_job_once_and_none_waits_for_another(postgres_url: str) -> None:
    """One holds its transaction open while the other claims: SKIP LOCKED."""
    one, two = await open_database(postgres_url), await open_database(postgres_url)
    first, second = await ask(one, "one"), await ask(one, "two", author=BEN)
    claimed, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> int | None:
        assert isinstance(one, RetryingDatabase)
        inner = one._database
        assert isinstance(inner, PostgresDatabase)
        async with inner._engine.begin() as connection:
            job = await connection.run_sync(jobs.fetch_job, first.id, "one", 1.0)
            claimed.set()
            await go_on.wait()
        return job.id if job else None

    holding = asyncio.create_task(hold())
    await claimed.wait()
    assert await two.write(jobs.fetch_job, first.id, "two", 1.0) is None
    taken = await two.write(jobs.fetch_job, second.id, "two", 1.0)
    assert (taken.id if taken else None) == second.id
    go_on.set()
    assert await holding == first.id
    for each in (one, two):
        await each.close()
