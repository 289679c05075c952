"""Keeps how recent answers came about: each token with its alternatives, or the tree of a beam search.

Kept in memory alone, of the newest answers: it is many times as long as the answers themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bot.answers.accumulate import Comparison, Draft
from bot.store.jobs import Job
from bot.store.tables import Finish
from engine.api import BeamNode, TokenLogprobs

KEPT = 100  # answers
MOST_TOKENS = 600  # of one answer


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one answer came about. `temperature` None: the model's default; `choices`, `beams`: empty where the engine sent none."""

    temperature: float | None
    choices: tuple[TokenLogprobs, ...]
    beams: tuple[BeamNode, ...]
    length_penalty: float | None  # with which the engine ranked finished beams
    stopped: bool  # by a person, before the engine had sent everything


class Explanations:
    """The explanations of the newest answers, on platforms that show them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[str, Explanation]] = OrderedDict()

    def keep(self, job: Job, draft: Draft | Comparison) -> None:
        if isinstance(draft, Comparison):
            return
        stopped = draft.finish is Finish.STOPPED
        explanation = Explanation(job.settings.temperature, tuple(draft.choices[:MOST_TOKENS]), draft.beams, draft.length_penalty, stopped)
        self._kept[job.answer] = job.place, explanation
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def of(self, place: str, answer: int) -> Explanation | None:
        """An answer's explanation; None: it is not kept any more, or the answer is in another place."""
        where, explanation = self._kept.get(answer, ("", None))
        return explanation if where == place else None
