"""The queue of questions at one moment, as it is shown to people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """One question of a person that is not answered yet."""

    answer_id: int
    position: int  # 1 = next; 0 = being answered
    seconds: float | None  # estimated until something of its answer is shown; None: nothing measured yet


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The queue at this moment, and one person's questions in it."""

    waiting: int
    running: int
    tokens_per_second: float | None  # measured over all engines
    mine: tuple[QueuePosition, ...]
