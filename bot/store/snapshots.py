"""What the store knows of an answer at a moment, read in one transaction: as it is shown, and as it is made.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from bot.store import deliveries, graph, jobs, votes
from bot.store.deliveries import Delivery
from bot.store.graph import Turn
from bot.store.jobs import Job

NO_VOTES: Final = votes.Standing((), Counter())


@dataclass(frozen=True, slots=True)
class AnswerSnapshot:
    """An answer that is to be shown. `standing`: its columns and votes, none while it is not finished; `sent`: its messages so far."""

    answer: graph.Answer
    standing: votes.Standing
    sent: tuple[Delivery, ...]


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


def fetch_job(connection: Connection, job: int, owner: str, at: float) -> FetchedJob | None:
    """As `jobs.fetch_job`, with what its answer begins with."""
    fetched = jobs.fetch_job(connection, job, owner, at)
    snapshot = read_snapshot(connection, fetched.answer) if fetched else None
    return FetchedJob(fetched, snapshot, graph.branch(connection, fetched.question)) if fetched and snapshot else None
