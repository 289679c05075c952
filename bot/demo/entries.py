"""What happened in a demo, question by question, and what of it was fastest and most liked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.ports import AnswerColumn
from bot.store import demos, votes
from bot.store.demos import Demo, Shown

ALL = 100_000  # of one demo


@dataclass(frozen=True, slots=True)
class Entry:
    """A question with its answer, the columns of a comparison, and the votes for each."""

    shown: Shown
    columns: tuple[AnswerColumn, ...]
    votes: Counter[int]

    @property
    def sections(self) -> tuple[AnswerColumn, ...]:
        """What was answered: one section without a label, or the columns."""
        return self.columns or (AnswerColumn("", self.shown.text),)

    @property
    def seconds(self) -> float | None:
        """From the question to its whole answer; None: not answered yet."""
        return None if self.shown.ended_at is None else self.shown.ended_at - self.shown.asked_at


@dataclass(frozen=True, slots=True)
class Summary:
    """A demo in figures."""

    pictures: int
    questions: int
    answers: int
    fastest: Entry | None
    most_liked: Entry | None


def entries(connection: Connection, demo: Demo, limit: int = ALL) -> tuple[Entry, ...]:
    """The newest of a demo, oldest first."""
    shown = demos.shown(connection, demo, limit)
    standings = votes.standings(connection, [each.answer for each in shown])
    return tuple(Entry(each, standings[each.answer].columns, standings[each.answer].votes) for each in shown)


def summarize(found: Sequence[Entry]) -> Summary:
    answered = [entry for entry in found if entry.seconds is not None]
    liked = [entry for entry in answered if entry.votes]
    return Summary(
        pictures=len({sha256 for entry in found for sha256 in entry.shown.pictures}),
        questions=len({entry.shown.question for entry in found}),
        answers=len(answered),
        fastest=min(answered, key=lambda entry: entry.seconds or 0, default=None),
        most_liked=max(liked, key=lambda entry: entry.votes.total(), default=None),
    )
