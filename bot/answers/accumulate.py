"""Answers as they grow: one, or the columns of a comparison, which are one question answered with several values of a setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bot.ports import AnswerColumn
from bot.sanitize import sanitize_text
from bot.settings.resolve import shown
from bot.store.jobs import Job
from bot.store.tables import Finish
from bot.texts import Texts
from engine.api import BeamNode, Chunk, FinishReason, TokenLogprobs

ENDS: Final[Mapping[FinishReason, Finish]] = {"stop": Finish.STOP, "length": Finish.LENGTH, "content_filter": Finish.STOP}


@dataclass(slots=True)
class Draft:
    """An answer as it grows."""

    text_so_far: str = ""
    preview: str = ""  # of a beam search, until it has decided
    finish: Finish = Finish.STOPPED  # until the engine says how it ended
    tokens: int = 0  # of the answer; chunks, until the engine counts
    prompt_tokens: int = 0
    dropped: int = 0  # of the oldest messages, for lack of room
    choices: list[TokenLogprobs] = field(default_factory=list)  # where they were asked for: every token, and what else it could be
    beams: tuple[BeamNode, ...] = ()  # where they were asked for: what a beam search weighed
    length_penalty: float | None = None  # by which it ranked what finished
    filtered: bool = False  # the server's own filter ended it

    @property
    def text(self) -> str:
        return self.text_so_far or self.preview

    @property
    def drafts(self) -> tuple[Draft, ...]:
        return (self,)

    def work(self, beams: int) -> int:
        """Tokens that an engine made for it: those of every beam."""
        return self.tokens * beams

    @property
    def columns(self) -> tuple[AnswerColumn, ...]:
        """Only comparisons have some."""
        return ()

    def add(self, chunk: Chunk) -> None:
        for choice in chunk.choices:
            self.preview = sanitize_text(choice.provisional) if choice.provisional is not None else self.preview
            self.text_so_far += sanitize_text(choice.delta.content or "")
            self.filtered = self.filtered or choice.finish_reason == "content_filter"
            self.finish = ENDS[choice.finish_reason] if choice.finish_reason else self.finish
            self.choices += (choice.logprobs.content or ()) if choice.logprobs else ()
            self.beams = choice.beams or self.beams
            self.length_penalty = choice.length_penalty if choice.beams else self.length_penalty
        self.tokens = chunk.usage.completion_tokens if chunk.usage else self.tokens + 1
        self.prompt_tokens = chunk.usage.prompt_tokens if chunk.usage else self.prompt_tokens
        self.dropped = chunk.dropped_messages or self.dropped


@dataclass(frozen=True, slots=True)
class Comparison:
    """The columns as they grow; what is asked of a Draft, asked of all of them."""

    labels: tuple[str, ...]
    drafts: tuple[Draft, ...]
    beams: tuple[int, ...]  # of each column

    def work(self, beams: int) -> int:
        """As of a Draft; the columns know their own beams."""
        return sum(draft.work(rows) for draft, rows in zip(self.drafts, self.beams, strict=True))

    @property
    def columns(self) -> tuple[AnswerColumn, ...]:
        return tuple(AnswerColumn(label, draft.text) for label, draft in zip(self.labels, self.drafts, strict=True))

    @property
    def text(self) -> str:
        """All columns, each under its label; empty until one has a word."""
        if not any(draft.text for draft in self.drafts):
            return ""
        return "\n\n".join(f"**{column.label}**\n{column.text or '…'}" for column in self.columns)

    @property
    def finish(self) -> Finish:
        """A column that ran into its limit is not worth a button to continue it."""
        return Finish.STOPPED if any(draft.finish is Finish.STOPPED for draft in self.drafts) else Finish.STOP

    @property
    def filtered(self) -> bool:
        return any(draft.filtered for draft in self.drafts)

    @property
    def tokens(self) -> int:
        return sum(draft.tokens for draft in self.drafts)

    @property
    def prompt_tokens(self) -> int:
        return sum(draft.prompt_tokens for draft in self.drafts)

    @property
    def dropped(self) -> int:
        return max(draft.dropped for draft in self.drafts)


def new_draft(job: Job, texts: Texts) -> Draft | Comparison:
    """What a job's answer grows in."""
    if job.varied is None:
        return Draft()
    language, name = job.settings.language, job.varied.setting
    labels = tuple(texts.render(language, f"setting.{name}.footer", value=shown(value)) for value in job.varied.values)
    beams = tuple(settings.beams or 1 for settings in job.varied.each(job.settings))
    return Comparison(labels, tuple(Draft() for _ in labels), beams)
