"""What the store knows of an answer at a moment, read in one transaction: as it is shown, and as it is made.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection

from bot.message import Place
from bot.platform import AnswerColumn
from bot.store import deliveries, graph, jobs, votes
from bot.store.deliveries import Delivery
from bot.store.graph import Turn
from bot.store.jobs import Job
from bot.store.tables import Finish

NO_VOTES: Final = votes.Standing((), Counter())


@dataclass(frozen=True, slots=True)
class AnswerSnapshot:
    """An answer that is to be shown. `standing`: its columns and votes, none while it is not finished; `sent`: its messages so far;
    `recorded`: its first one, if the store expects it to be sent."""

    answer: graph.Answer
    standing: votes.Standing
    sent: tuple[Delivery, ...]
    recorded: Delivery | None = None


@dataclass(frozen=True, slots=True)
class FetchedJob:
    """A job that is this bot's to run now. `branch`: the messages from the conversation's first to the question."""

    job: Job
    snapshot: AnswerSnapshot
    branch: tuple[Turn, ...]


def read_snapshot(connection: Connection, answer: int) -> AnswerSnapshot | None:
    """None: the answer was forgotten."""
    stored = graph.answer(connection, answer)
    if stored is None:
        return None
    standing = NO_VOTES if stored.finish is None else votes.standing(connection, answer)
    return AnswerSnapshot(stored, standing, deliveries.parts(connection, answer))


def fetch_job(
    connection: Connection,
    job: int,
    owner: str,
    at: float,
    *,
    record_in: Collection[bool] = (),
    shown: Collection[int] = (),
) -> FetchedJob | None:
    """As `jobs.fetch_job`, with what its answer begins with; and `jobs.finish_jobs` of those whose answers are `shown`.

    `record_in`: in private places (True) and in others (False), unless messages of the answer were sent, record the first one now: its
    sender needs no transaction of its own.
    """
    jobs.finish_jobs(connection, shown)
    fetched = jobs.fetch_job(connection, job, owner, at)
    snapshot = read_snapshot(connection, fetched.answer) if fetched else None
    if fetched is None or snapshot is None:
        return None
    if snapshot.answer.place.private in record_in and not any(delivery.platform_id for delivery in snapshot.sent):
        snapshot = replace(snapshot, recorded=deliveries.intend(connection, fetched.answer, 0, snapshot.answer.place, at))
    return FetchedJob(fetched, snapshot, graph.branch(connection, fetched.question))


def save_answer(
    connection: Connection,
    job: Job,
    owner: str,
    text: str,
    finish: Finish,
    footer: str,
    at: float,
    columns: Sequence[AnswerColumn] = (),
    extras: Mapping[str, Any] | None = None,
    send_in: Place | None = None,
) -> AnswerSnapshot | None:
    """As `jobs.save_answer`, with what is to be shown now. `extras`: as of `graph.keep_extras`. None: the job is not ours any more.

    `send_in`: unless a message of the answer was ever recorded, record now that its first one is about to be sent there.
    """
    if not jobs.save_answer(connection, job, owner, text, finish, footer, at, columns):
        return None
    if extras:
        graph.keep_extras(connection, job.answer, extras)
    stored = graph.answer(connection, job.answer)
    if stored is None:
        return None
    sent = deliveries.parts(connection, job.answer)
    recorded = deliveries.intend(connection, job.answer, 0, send_in, at) if send_in is not None and not sent else None
    return AnswerSnapshot(stored, votes.Standing(tuple(columns), Counter()), sent, recorded)
