"""A demo is a span of time in a channel: what was asked in it belongs to it, and what failed or was hidden stays off its wall."""

from __future__ import annotations

from sqlalchemy import Connection, update

from bot.store import demos, jobs
from bot.store.database import Database
from bot.store.demos import Demo
from bot.store.tables import Finish, MessageRow
from tests.bot.samples import ANN, PLACE, ask, picture


def begin(connection: Connection, at: float) -> Demo:
    return demos.begin(connection, PLACE.channel_key, ANN.key, "What is it?", 30.0, "en", at)


async def test_one_demo_runs_in_a_channel_and_its_code_opens_it(database: Database) -> None:
    def work(connection: Connection) -> None:
        first = begin(connection, 1.0)
        second = begin(connection, 2.0)
        assert demos.running(connection) == (second,)
        assert first.code != second.code != second.key
        assert demos.by_code(connection, second.code) == second
        assert demos.by_code(connection, second.key) is None
        ended = demos.end(connection, PLACE.channel_key, 3.0)
        assert ended is not None
        assert (ended.id, ended.ended, demos.running(connection)) == (second.id, 3.0, ())
        assert demos.newest(connection, PLACE.channel_key) == ended
        assert demos.end(connection, PLACE.channel_key, 4.0) is None

    await database.write(work)


async def test_a_presenter_is_forgotten_with_their_prompts_and_a_channel_with_those_of_the_past(database: Database) -> None:
    def work(connection: Connection) -> None:
        past, running = begin(connection, 1.0), begin(connection, 2.0)
        demos.forget_in(connection, PLACE.channel_key)
        prompts = [found.prompt if found else "" for found in (demos.by_code(connection, each.code) for each in (past, running))]
        assert prompts == ["", running.prompt]
        demos.forget(connection, "web:somebody else", 3.0)
        assert demos.running(connection) == (running,)
        demos.forget(connection, ANN.key, 3.0)
        assert demos.running(connection) == ()
        newest = demos.newest(connection, PLACE.channel_key)
        assert newest is not None
        assert (newest.prompt, newest.ended) == ("", 3.0)

    await database.write(work)


async def test_questions_of_its_time_are_shown_and_those_that_failed_are_not(database: Database) -> None:
    made, failed, late = [await ask(database, text) for text in ("made", "failed", "late")]

    def work(connection: Connection) -> None:
        demo = begin(connection, -1.0)
        for job, text, finish in ((made, "One goose.", Finish.STOP), (failed, "Sorry.", Finish.FAILED)):
            connection.execute(update(MessageRow).where(MessageRow.id == job.answer).values(text=text, finish=finish))
        connection.execute(update(MessageRow).where(MessageRow.id.in_([late.answer])).values(at=50.0))
        assert [entry.shown.asked for entry in demos.entries(connection, demo)] == ["made", "late"]
        ended = demos.end(connection, PLACE.channel_key, 10.0)
        assert ended is not None
        (entry,) = demos.entries(connection, ended)
        assert (entry.shown.text, entry.shown.hidden, entry.sections[0].text) == ("One goose.", False, "One goose.")
        demos.hide(connection, entry.shown.question)
        assert demos.entries(connection, ended)[0].shown.hidden
        demos.show_again(connection, entry.shown.question)
        assert not demos.entries(connection, ended)[0].shown.hidden
        assert demos.is_of(connection, ended, entry.shown.question)
        assert not demos.shows_picture(connection, ended, picture().sha256)
        assert jobs.count_waiting(connection) == 3

    await database.write(work)
