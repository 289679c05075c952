"""Votes for answers and for the columns of comparisons: one a person and answer. And those columns themselves.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from bot.platform import AnswerColumn
from bot.store import database
from bot.store.tables import AnswerColumnRow, MessageRow, VoteRow


@dataclass(frozen=True, slots=True)
class Standing:
    """An answer's columns (none: it is no comparison) and the votes for each."""

    columns: tuple[AnswerColumn, ...]
    votes: Counter[int]


def standing(connection: Connection, answer: int) -> Standing:
    return standings(connection, [answer])[answer]


def standings(connection: Connection, answers: Collection[int]) -> dict[int, Standing]:
    """How each of these answers stands."""
    columns, votes = columns_of(connection, answers), tally(connection, answers)
    return {answer: Standing(columns.get(answer, ()), votes.get(answer, Counter())) for answer in answers}


def keep_columns(connection: Connection, answer: int, columns: Sequence[AnswerColumn]) -> None:
    rows = [{"answer": answer, "position": n, "label": column.label, "text": column.text} for n, column in enumerate(columns)]
    if rows:
        connection.execute(insert(AnswerColumnRow), rows)


def columns_of(connection: Connection, answers: Collection[int]) -> dict[int, tuple[AnswerColumn, ...]]:
    """The columns of those answers that are comparisons."""
    found: dict[int, tuple[AnswerColumn, ...]] = {}
    for answer, label, text in connection.execute(_COLUMNS, {"answers": list(answers)}):
        found[answer] = (*found.get(answer, ()), AnswerColumn(label, text))
    return found


def cast(connection: Connection, place: str, answer: int, person: str, position: int, at: float) -> bool:
    """Vote, move one's vote to another column, or take it back by voting for the same again. False: nothing there to vote for."""
    there = select(MessageRow.id).where(MessageRow.id == answer, MessageRow.place == place, MessageRow.finish.is_not(None))
    if connection.scalar(there) is None or position not in range(max(len(columns_of(connection, [answer]).get(answer, ())), 1)):
        return False
    mine = (VoteRow.answer == answer, VoteRow.person == person)
    before = connection.scalar(select(VoteRow.position).where(*mine))
    if before == position:
        connection.execute(delete(VoteRow).where(*mine))
        return True
    new = {"position": position, "at": at}
    vote = database.insert(connection.dialect.name, VoteRow).values(answer=answer, person=person, **new)
    connection.execute(vote.on_conflict_do_update(index_elements=["answer", "person"], set_=new))
    return True


def newest(connection: Connection, place: str) -> int | None:
    """The newest finished answer here."""
    return connection.scalar(select(func.max(MessageRow.id)).where(MessageRow.place == place, MessageRow.finish.is_not(None)))


def tally(connection: Connection, answers: Collection[int], since: float = 0.0) -> dict[int, Counter[int]]:
    """The votes for each of these answers that were cast after `since` (Unix seconds), by column."""
    found: dict[int, Counter[int]] = {}
    for answer, position, count in connection.execute(_VOTES, {"answers": list(answers), "since": since}):
        found.setdefault(answer, Counter())[position] = count
    return found


# Built once: every answer needs them when it ends.
_COLUMNS = (
    select(AnswerColumnRow.answer, AnswerColumnRow.label, AnswerColumnRow.text)
    .where(AnswerColumnRow.answer.in_(bindparam("answers", expanding=True)))
    .order_by(AnswerColumnRow.position)
)
_VOTES = (
    select(VoteRow.answer, VoteRow.position, func.count())
    .where(VoteRow.answer.in_(bindparam("answers", expanding=True)), VoteRow.at >= bindparam("since"))
    .group_by(VoteRow.answer, VoteRow.position)
)
