"""One vote a person and answer: it moves, is taken back, and counts only for what can be voted for."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, update

from bot.platform import AnswerColumn
from bot.store import votes
from bot.store.database import Database
from bot.store.tables import Finish, MessageRow
from tests.bot.samples import ANN, BEN, PLACE, add_answer, add_message

COLUMNS = (AnswerColumn("cold", "One goose."), AnswerColumn("hot", "Geese!"))


def finished(connection: Connection) -> int:
    answer = add_answer(connection, add_message(connection, "how many?"))
    connection.execute(update(MessageRow).where(MessageRow.id == answer).values(text="One.", finish=Finish.STOP))
    return answer


async def test_a_vote_moves_and_is_taken_back_by_repeating_it(database: Database) -> None:
    def work(connection: Connection) -> None:
        answer = finished(connection)
        votes.keep_columns(connection, answer, COLUMNS)
        assert votes.cast(connection, PLACE.key, answer, ANN.key, 0, 1.0)
        assert votes.cast(connection, PLACE.key, answer, BEN.key, 1, 2.0)
        assert votes.cast(connection, PLACE.key, answer, ANN.key, 1, 3.0)
        assert votes.standing(connection, answer) == votes.Standing(COLUMNS, Counter({1: 2}))
        assert votes.tally(connection, [answer], since=2.5) == {answer: Counter({1: 1})}
        assert votes.cast(connection, PLACE.key, answer, ANN.key, 1, 4.0)
        assert votes.tally(connection, [answer]) == {answer: Counter({1: 1})}

    await database.write(work)


async def test_only_finished_answers_of_the_place_and_columns_that_exist_are_voted_for(database: Database) -> None:
    def work(connection: Connection) -> None:
        growing = add_answer(connection, add_message(connection, "how many?"))
        assert votes.newest(connection, PLACE.key) is None
        answer = finished(connection)
        assert votes.newest(connection, PLACE.key) == answer
        for place, meant, column in (
            (PLACE.key, growing, 0),
            ("web:elsewhere", answer, 0),
            (PLACE.key, answer, 1),
            (PLACE.key, answer, -1),
        ):
            assert not votes.cast(connection, place, meant, ANN.key, column, 1.0)
        assert votes.standing(connection, answer) == votes.Standing((), Counter())

    await database.write(work)
