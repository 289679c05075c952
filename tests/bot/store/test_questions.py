"""A question is stored with its answer and its job, or not at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from bot.answer_settings import AnswerSettings, Memory
from bot.errors import Refusal
from bot.message import Address, Incoming, Reply
from bot.store import graph, jobs, questions
from bot.store.database import Database
from bot.store.jobs import QueueLoad
from bot.store.questions import NewAnswer, NewQuestion, Submission
from tests.bot.samples import ANN, BEN, PLACE

INCOMING = Incoming("1", PLACE, ANN, Address.MENTION, datetime(2026, 1, 1, tzinfo=UTC), "how many?")
SUBMISSION = Submission(INCOMING, "gander", 1_000.0, known=False, admit=None)
QUESTION = NewQuestion(
    text="how many?",
    pictures=(),
    spoiler=False,
    answer=NewAnswer(AnswerSettings(), "", 100),
    idle_seconds=1_800.0,
    needs_picture=False,
    needs_picture_first=False,
    quoted=None,
    no_picture="ask.picture_needed",
    older_note="",
)


def submitted(event: str, *, at: float, person: str = ANN.id, reply_to: str | None = None) -> Submission:
    author = ANN if person == ANN.id else BEN
    reply = Reply(reply_to) if reply_to else None
    return replace(SUBMISSION, incoming=replace(INCOMING, id=event, author=author, reply_to=reply), at=at)


def conversations(connection: Connection) -> list[str]:
    """Of the answers that wait, oldest first."""
    return [graph.branch(connection, job.answer)[-1].conversation for job in jobs.all_waiting(connection)]


async def test_the_same_event_is_stored_once(database: Database) -> None:
    def work(connection: Connection) -> None:
        for _ in range(2):
            questions.store_question(connection, SUBMISSION, QUESTION)
        (job,) = jobs.all_waiting(connection)
        assert [turn.text for turn in graph.branch(connection, job.answer)] == ["how many?", ""]
        assert (job.cost, job.rows, job.person) == (100, 1, ANN.key)

    await database.write(work)


@pytest.mark.parametrize("refused", ["limits.queue_full", "ask.picture_needed"])
async def test_of_what_is_refused_nothing_is_stored(database: Database, refused: str) -> None:
    def admit(load: QueueLoad) -> None:
        assert load == QueueLoad(0, 0)
        if refused == "limits.queue_full":
            raise Refusal(refused)

    with pytest.raises(Refusal, match=refused):
        await database.write(questions.store_question, replace(SUBMISSION, admit=admit), replace(QUESTION, needs_picture=True))
    assert await database.read(jobs.count_waiting) == 0
    assert await database.read(graph.find, PLACE.key, INCOMING.id) is None


async def test_a_question_continues_the_newest_conversation_of_its_memory(database: Database) -> None:
    def work(connection: Connection) -> None:
        personal = replace(QUESTION, answer=replace(QUESTION.answer, settings=AnswerSettings(memory=Memory.PERSONAL)))
        questions.store_question(connection, submitted("1", at=1_000.0), QUESTION)
        questions.store_question(connection, submitted("2", at=1_001.0, person=BEN.id), QUESTION)  # shared
        questions.store_question(connection, submitted("3", at=1_002.0, person=BEN.id, reply_to="1"), QUESTION)
        questions.store_question(connection, submitted("4", at=9_000.0), QUESTION)  # the conversation rested too long
        questions.store_question(connection, submitted("5", at=9_001.0, person=BEN.id), personal)  # his own rested, too
        first, second, third, fourth, fifth = conversations(connection)
        assert first == second == third
        assert len({first, fourth, fifth}) == 3

    await database.write(work)
