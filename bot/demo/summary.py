"""A demo in figures: how much was asked, what was answered fastest and what is liked most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.store.demos import Entry


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a demo, and its fastest and most liked entries."""

    pictures: int
    questions: int
    answers: int
    fastest: Entry | None
    most_liked: Entry | None


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
