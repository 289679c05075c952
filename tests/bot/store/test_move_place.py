"""A channel that gets another id keeps what was set, said and asked there, on either database, however often it is told."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, select

from bot.answer_settings import AnswerSettings
from bot.message import Author, Place
from bot.store import deliveries, events, forgetting, graph, jobs
from bot.store.database import Database
from bot.store.graph import NewMessage
from bot.store.jobs import NewJob
from bot.store.move_place import move_place
from bot.store.scoped_settings import Scope, read_settings, write_setting
from bot.store.tables import JobRow

OLD, NEW = Place("telegram", "-5"), Place("telegram", "-10077")
ANN = Author("telegram", "1001", "Ann")
HOMES = ((Scope.CHANNEL, OLD.channel_key), (Scope.CHANNEL, NEW.channel_key))


def say(connection: Connection, place: Place, text: str, platform_id: str | None, parent: int | None = None, role: str = "user") -> int:
    graph.introduce(connection, place, ANN)
    new = graph.add(connection, NewMessage(place.key, platform_id, parent, "c", ANN.key, role, text, at=1.0))
    assert new is not None
    return new


async def test_conversations_go_on_and_old_numbers_mean_nothing_there(database: Database) -> None:
    def work(connection: Connection) -> None:
        question = say(connection, OLD, "first", "7")
        answer = say(connection, OLD, "You asked: first", None, question, "assistant")
        graph.point(connection, OLD.key, ("", ANN.key), answer, at=1.0)
        already = say(connection, NEW, "before the news came", "8")
        graph.point(connection, NEW.key, (ANN.key,), already, at=2.0)
        shown = deliveries.intend(connection, answer, 0, OLD, at=1.0)
        assert shown is not None
        deliveries.sent(connection, shown.id, "9")
        for _ in range(2):
            move_place(connection, OLD, NEW)
        for person, newest in (("", answer), (ANN.key, already)):
            found = graph.newest(connection, NEW.key, person, since=0.0)
            assert found is not None
            assert found.id == newest
        assert [graph.find(connection, NEW.key, number) for number in ("7", "9")] == [None, None]
        assert [turn.text for turn in graph.branch(connection, answer)] == ["first", "You asked: first"]
        assert graph.newest(connection, OLD.key, "", since=0.0) is None

    await database.write(work)


async def test_settings_move_and_what_was_set_there_already_stays(database: Database) -> None:
    def work(connection: Connection) -> None:
        for home, name, value in ((0, "beams", 3), (0, "top_k", 50), (1, "top_k", 20)):
            write_setting(connection, HOMES[home], name, value, set_by=ANN.key, at=1.0)
        for _ in range(2):
            move_place(connection, OLD, NEW)
        assert dict(read_settings(connection, HOMES)) == {HOMES[1]: {"beams": 3, "top_k": 20}}

    await database.write(work)


async def test_what_waits_is_answered_where_the_group_is_now(database: Database) -> None:
    def work(connection: Connection) -> None:
        question = say(connection, OLD, "first", "7")
        node = graph.Node(question, "c", ANN.key, False)
        job = jobs.enqueue(connection, NewJob(node, OLD, ANN.key, replace(AnswerSettings()), 100, "me"), at=1.0)
        assert job is not None
        for _ in range(2):
            move_place(connection, OLD, NEW)
        assert connection.execute(select(JobRow.place, JobRow.channel)).all() == [(NEW.key, NEW.channel_key)]
        waiting = graph.answer(connection, job.answer)
        assert waiting is not None
        assert (waiting.place, waiting.reply_to) == (NEW, None)
        here = forgetting.places_around(connection, NEW, whole_server=False)
        assert jobs.unfinished(connection, places=here) == (job.answer,)

    await database.write(work)


async def test_the_new_groups_numbers_are_not_taken_for_old_events(database: Database) -> None:
    def work(connection: Connection) -> None:
        events.take(connection, OLD, "7", "gander", 1.0)
        move_place(connection, OLD, NEW)
        assert not events.taken(connection, NEW.key, "7")

    await database.write(work)
