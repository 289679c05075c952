"""A job is answered once, by one bot, and comes back when its bot or its engine dies."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from bot.answer_settings import AnswerSettings
from bot.message import Place
from bot.store import forgetting, jobs
from bot.store.database import Database
from bot.store.jobs import QueueLoad
from bot.store.tables import Finish, MessageRow
from tests.bot.samples import ANN, BEN, PLACE, ask

WEB = ("web",)


async def test_a_claimed_job_is_claimed_once_and_keeps_its_settings(database: Database) -> None:
    waiting = await ask(database, "what is it?")

    def work(connection: Connection) -> None:
        job = jobs.fetch_job(connection, waiting.id, "one", at=1.0)
        assert job is not None
        assert job.settings == replace(AnswerSettings(), beams=2)
        assert jobs.fetch_job(connection, waiting.id, "two", at=1.0) is None
        assert jobs.fetchable(connection, WEB, "me", stale=0.0) == ()

    await database.write(work)


async def test_fetchable_is_each_persons_oldest_in_each_channel(database: Database) -> None:
    first = await ask(database, "one")
    await ask(database, "two")
    ben = await ask(database, "three", author=BEN)
    elsewhere = await ask(database, "four", place=Place("web", "pond"))
    await ask(database, "five", place=Place("discord", "pond"))

    def work(connection: Connection) -> None:
        assert jobs.fetchable(connection, WEB, "me", stale=0.0) == (first, ben, elsewhere)
        assert len(jobs.all_waiting(connection)) == 5

    await database.read(work)


async def test_a_follow_up_waits_for_what_it_follows(database: Database) -> None:
    first = await ask(database, "one")
    second = await ask(database, "two", parent=first.answer, author=BEN)

    def work(connection: Connection) -> None:
        assert jobs.fetchable(connection, WEB, "me", stale=0.0) == (first,)
        job = jobs.fetch_job(connection, first.id, "me", at=1.0)
        assert job is not None
        assert jobs.save_answer(connection, job, "me", "a goose", Finish.STOP, "", 1.0)
        assert jobs.fetchable(connection, WEB, "me", stale=0.0) == (second,)

    await database.write(work)


async def test_an_answer_is_committed_once(database: Database) -> None:
    waiting = await ask(database, "what is it?")

    def work(connection: Connection) -> None:
        job = jobs.fetch_job(connection, waiting.id, "dead", at=1.0)
        assert job is not None
        assert jobs.prune_stalled_workers(connection, 2.0, "me") == 1
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
        jobs.heartbeat(connection, "other", at=10.0)
        assert jobs.prune_stalled_workers(connection, 5.0, "me") == 0

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
        jobs.prune_stalled_workers(connection, 5.0, "me")
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
        assert jobs.undelivered(connection, ("discord",), "me", at=2.0, stale=0.0) == ()
        assert jobs.undelivered(connection, WEB, "other", at=2.0, stale=0.0) == ()
        assert jobs.undelivered(connection, WEB, "other", at=20.0, stale=10.0) == (job,)
        jobs.finish_jobs(connection, [job.id])
        assert jobs.undelivered(connection, WEB, "other", at=30.0, stale=30.0) == ()

    await database.write(work)


async def test_stopping_what_waits_and_what_runs(database: Database) -> None:
    runs, waits = await ask(database, "one"), await ask(database, "two")

    def work(connection: Connection) -> None:
        job = jobs.fetch_job(connection, runs.id, "other", at=1.0)
        assert jobs.unfinished(connection, person=ANN.key, places=[PLACE.key]) == (runs.answer, waits.answer)
        running, stopped = jobs.cancel_jobs(connection, [runs.answer, waits.answer], "me", at=2.0)
        assert (running, [s.id for s in stopped]) == (frozenset({runs.id}), [waits.id])
        assert jobs.heartbeat(connection, "other", at=3.0) == {runs.id}
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
