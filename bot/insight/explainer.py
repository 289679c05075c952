"""Finds out how the newest answers came about, when somebody asks: the engine reads its own answer once more."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from bot.answers.accumulate import Comparison, Draft
from bot.answers.generate import AnswerGenerator
from bot.engines.engine import Engine
from bot.insight.how import How
from bot.platform import Action
from bot.store.database import Database
from bot.store.jobs import Job
from bot.store.snapshots import read_snapshot
from engine.explanation import ExplainRequest

KEPT = 200  # answers that can be asked about
KEPT_PAGES = 12  # of those that were explained: everybody in a room looks at the same few


@dataclass(frozen=True, slots=True)
class Explainable:
    """An answer as it was made; `token` is the address by which anybody who saw the answer may ask about it."""

    job: Job
    draft: Draft
    engine: Engine
    token: str


class Explainer:
    """Remembers how the newest answers were asked for, in memory alone; their pictures stay where they are stored."""

    def __init__(self, database: Database, generator: AnswerGenerator) -> None:
        self._database, self._generator = database, generator
        self._kept: OrderedDict[int, Explainable] = OrderedDict()
        self._explained: OrderedDict[int, How] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._growing: dict[int, Explainable] = {}  # answers that are being written
        self._so_far: dict[int, tuple[int, How]] = {}  # of those, with how many tokens they had
        self._one_growing = asyncio.Lock()  # a page doesn't wait for a wall
        self.offered = True  # a button below answers
        self.page = ""  # the address at which people on other machines reach the page; empty: they don't

    def begin(self, job: Job, draft: Draft | Comparison, engine: Engine) -> None:
        """This answer is being written, into `draft`, until `end`."""
        if isinstance(draft, Draft):
            self._growing[job.answer] = Explainable(job, draft, engine, "")

    def end(self, answer: int) -> None:
        self._growing.pop(answer, None)
        self._so_far.pop(answer, None)

    def keep(self, job: Job, draft: Draft | Comparison, engine: Engine) -> None:
        if isinstance(draft, Comparison) or not (draft.text.strip() and draft.turns):
            return
        self._explained.pop(job.answer, None)
        self._kept[job.answer] = Explainable(job, draft, engine, secrets.token_urlsafe(12))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def forget(self, sha256s: Sequence[str]) -> None:
        """These pictures were deleted: keep no page, and no answer about them. Without pictures some words were: keep no answer at all."""
        self._explained.clear()
        self._growing.clear()
        self._so_far.clear()
        for answer, kept in list(self._kept.items()):
            if not sha256s or any(sha256 in turn.sha256s for turn in kept.draft.turns for sha256 in sha256s):
                del self._kept[answer]

    def token(self, answer: int) -> str | None:
        """By which anybody may ask about this answer; None: it can't be asked about."""
        kept = self._kept.get(answer)
        return kept.token if kept else None

    def way(self, answer: int) -> Action | None:
        """A button, without its words, for all who saw an answer about pictures: to its page, else to a picture of how it came about."""
        kept = self._kept.get(answer)
        if kept is None or not self.offered or not any(turn.sha256s for turn in kept.draft.turns):
            return None
        return Action("", f"/how answer_id:{answer}", f"{self.page}/how/{kept.token}" if self.page else "")

    def answer_of(self, token: str) -> int | None:
        return next((answer for answer, kept in self._kept.items() if secrets.compare_digest(kept.token, token)), None)

    async def how(self, answer: int, place: str | None = None) -> How | None:
        """None: the answer is not kept any more, was deleted, or is in another place than `place`.

        Raises EngineRefused where its engine can't say, EngineUnavailable, AnswerLost, and Refusal for a picture that is gone.
        """
        kept = self._kept.get(answer)
        if kept is None or place not in (None, kept.job.place) or await self._database.read(read_snapshot, answer) is None:
            return None
        async with self._one_at_a_time:
            if answer not in self._explained:
                self._explained[answer] = await self._ask(kept)
                while len(self._explained) > KEPT_PAGES:
                    self._explained.popitem(last=False)
        return self._explained.get(answer)

    async def so_far(self, answer: int) -> How | None:
        """How the words came about that a growing answer has by now. None: it has none, or is not being written. Raises as `how` does.

        Many who ask meanwhile wait for the same explanation, of as many words as the last of them saw.
        """
        kept = self._growing.get(answer)
        if kept is None or not (kept.draft.turns and kept.draft.text.strip()):
            return None
        wanted = kept.draft.tokens
        async with self._one_growing:
            tokens, how = self._so_far.get(answer, (0, None))
            if how is None or tokens < wanted:
                tokens, how = kept.draft.tokens, await self._ask(kept)
                if self._growing.get(answer) is kept:
                    self._so_far[answer] = tokens, how
        return how

    async def _ask(self, kept: Explainable) -> How:
        request = await self._generator.request(kept.job, kept.draft)
        explained = await kept.engine.explain(ExplainRequest.about(request, kept.draft.text))
        return How(kept.draft.turns[-1].text, explained, kept.draft.beams, kept.draft.length_penalty)
