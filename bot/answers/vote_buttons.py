"""The vote buttons: one for each column of a comparison, and one below every answer where a demo runs."""

from __future__ import annotations

from bot.platform import Action
from bot.store.votes import Standing

LIKE = "👍"


def vote_buttons(answer: int, standing: Standing, *, votes_open: bool) -> tuple[Action, ...]:
    """The buttons under a finished answer, with the votes so far."""
    columns, count = standing.columns, standing.votes
    if not (columns or votes_open or count):
        return ()
    names = [f"{LIKE} {column.label}" for column in columns] or [LIKE]
    press = f"/vote answer_id:{answer} column:"
    return tuple(Action(f"{name} · {count[n]}" if count[n] else name, f"{press}{n + 1}") for n, name in enumerate(names))
