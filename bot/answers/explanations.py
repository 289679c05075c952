"""How recent answers came about: every word with what else could have stood there, or what a beam search weighed.

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
    """One answer's. `temperature` None: the model's own default; `choices` and `beams` are empty where the engine told none."""

    temperature: float | None
    choices: tuple[TokenLogprobs, ...]
    beams: tuple[BeamNode, ...]
    length_penalty: float | None  # that the beams were ranked by, as the engine says
    stopped: bool  # by a person, before the engine could tell all


class Explanations:
    """Those of the newest answers on platforms that show them."""

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
        """Of an answer in this place; None: not kept any more, or not there."""
        where, explanation = self._kept.get(answer, ("", None))
        return explanation if where == place else None
