"""Accumulates an answer from the chunks of an engine's stream: one answer, or the columns of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bot.platform import AnswerColumn
from bot.regions import Region
from bot.resolve_answer_settings import shown
from bot.sanitize import sanitize_text
from bot.store.graph import Turn
from bot.store.jobs import Job
from bot.store.tables import Finish
from bot.texts import Texts
from engine.api import BeamNode, Chunk, FinishReason, NamedBox, TokenLogprobs

ENDS: Final[Mapping[FinishReason, Finish]] = {"stop": Finish.STOP, "length": Finish.LENGTH, "content_filter": Finish.STOP}


@dataclass(slots=True)
class Draft:
    """One answer, accumulated chunk by chunk."""

    text_so_far: str = ""
    preview: str = ""  # of a beam search: the best beam so far, until one is chosen
    finish: Finish = Finish.STOPPED  # STOPPED until the engine says how it ended
    tokens: int = 0  # of the answer; counted in chunks until the engine sends its own count
    prompt_tokens: int = 0
    dropped: int = 0  # how many of the oldest messages were left out because the context window was full
    choices: list[TokenLogprobs] = field(default_factory=list)  # if requested: every token with its likeliest alternatives
    beams: tuple[BeamNode, ...] = ()  # if requested: the tree that a beam search explored
    length_penalty: float | None = None  # with which finished beams were ranked
    turns: Sequence[Turn] = ()  # as the engine was asked for it
    writing: Mapping[int, str] = field(default_factory=dict)  # that was quoted in them, by turn
    filtered: bool = False  # the server's content filter ended it
    looked: tuple[Region, ...] = ()  # the parts of the picture that were shown by themselves …
    part_alone: bool = False  # … instead of the whole
    answer_language: str | None = None  # that the model was asked to answer in
    foreign: bool = False  # the question is in a language that the model was not trained in
    boxes: tuple[NamedBox, ...] = ()  # where things are in …
    pictured: str = ""  # … the newest picture that the engine was shown (its sha256)
    trace: dict[str, Any] | None = None  # of an answer in steps: steps/trace.py
    unstepped: bool = False  # steps were asked for, and this is the plain answer

    @property
    def text(self) -> str:
        return self.text_so_far or self.preview

    @property
    def drafts(self) -> tuple[Draft, ...]:
        return (self,)

    def work(self, beams: int) -> int:
        """Tokens that the engine generated for it, over all beams."""
        return self.tokens * beams

    @property
    def columns(self) -> tuple[AnswerColumn, ...]:
        """Empty: only a comparison has columns."""
        return ()

    def add(self, chunk: Chunk) -> None:
        """Append a chunk's text and take over its counts."""
        for choice in chunk.choices:
            self.preview = sanitize_text(choice.provisional) if choice.provisional is not None else self.preview
            self.text_so_far += sanitize_text(choice.delta.content or "")
            self.filtered = self.filtered or choice.finish_reason == "content_filter"
            self.finish = ENDS[choice.finish_reason] if choice.finish_reason else self.finish
            self.choices += (choice.logprobs.content or ()) if choice.logprobs else ()
            self.beams = choice.beams or self.beams
            if choice.boxes:
                self.boxes, names = choice.boxes, ", ".join(dict.fromkeys(box.name for box in choice.boxes if box.name))
                self.text_so_far = sanitize_text(choice.plain or names) or self.text_so_far
            self.length_penalty = choice.length_penalty if choice.beams else self.length_penalty
        self.tokens = chunk.usage.completion_tokens if chunk.usage else self.tokens + 1
        self.prompt_tokens = chunk.usage.prompt_tokens if chunk.usage else self.prompt_tokens
        self.dropped = chunk.dropped_messages or self.dropped


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answers of a comparison, one a column: the same question with several values of one setting. Same properties as Draft."""

    labels: tuple[str, ...]
    drafts: tuple[Draft, ...]
    beams: tuple[int, ...]  # of each column

    def work(self, beams: int) -> int:
        """As of a Draft, with each column's own number of beams."""
        return sum(draft.work(rows) for draft, rows in zip(self.drafts, self.beams, strict=True))

    @property
    def columns(self) -> tuple[AnswerColumn, ...]:
        return tuple(AnswerColumn(label, draft.text) for label, draft in zip(self.labels, self.drafts, strict=True))

    @property
    def text(self) -> str:
        """All columns, each below its label; empty until one of them has text."""
        if not any(draft.text for draft in self.drafts):
            return ""
        return "\n\n".join(f"**{column.label}**\n{column.text or '…'}" for column in self.columns)

    @property
    def finish(self) -> Finish:
        """STOPPED if any column was; never LENGTH, since one column can't be continued alone."""
        return Finish.STOPPED if any(draft.finish is Finish.STOPPED for draft in self.drafts) else Finish.STOP

    @property
    def filtered(self) -> bool:
        return any(draft.filtered for draft in self.drafts)

    @property
    def looked(self) -> tuple[Region, ...]:
        return self.drafts[0].looked

    @property
    def trace(self) -> None:
        """Comparisons are not answered in steps."""
        return

    @property
    def unstepped(self) -> bool:
        return False

    @property
    def part_alone(self) -> bool:
        return any(draft.part_alone for draft in self.drafts)

    @property
    def foreign(self) -> bool:
        return self.drafts[0].foreign

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
    """An empty draft for a job: a Comparison if it asks for one."""
    if job.varied is None:
        return Draft()
    language, name = job.settings.language, job.varied.setting
    labels = tuple(texts.render(language, f"setting.{name}.footer", value=shown(value)) for value in job.varied.values)
    beams = tuple(settings.beams or 1 for settings in job.varied.each(job.settings))
    return Comparison(labels, tuple(Draft() for _ in labels), beams)
