"""What the decoder is asked and what it tells while it works, so that the wire and the decoder meet without tensors. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from PIL.Image import Image

from engine.api import FinishReason
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.prompts.turn import Turn

if TYPE_CHECKING:
    from engine.core.grammar import Matcher
    from engine.prompts.truncation import Context


@dataclass(frozen=True)
class Request:
    """One answer to make, or `n` of them. `generation` has no gaps: the card's defaults are filled in already."""

    turns: tuple[Turn, ...]
    generation: Generation
    min_tokens: int = 0  # EOS is barred before so many new tokens; a stop string still ends
    stop: tuple[str, ...] = ()  # besides the template's own
    seed: int | None = None  # None = another one each time
    n: int = 1  # with beams: the n best, n ≤ num_beams
    logprobs: int | None = None  # None = off; else how many alternatives a token. Never with beams
    beam_tree: bool = False  # `ChoiceFinished.beams` wanted. Only with beams
    logit_bias: tuple[tuple[int, float], ...] = ()  # token ids and what is added to their scores
    continues: bool = False  # the answer goes on with the last turn, which is the assistant's
    schema: str | None = None  # the JSON schema that it keeps to. Never with beams
    # What `Engine.prepare` found out already: the tokens of texts, and what the model will read if no picture is new.
    counted: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    context: Context | None = field(default=None, compare=False, repr=False)
    matcher: Matcher | None = field(default=None, compare=False, repr=False)  # of `schema`, where an answer begins

    @property
    def pictures(self) -> list[Picture]:
        """All of them in order, the same one as often as it is shown."""
        return [part for turn in self.turns for part in turn.parts if isinstance(part, Picture)]

    def with_images(self, images: Mapping[str, Image]) -> Request:
        """The same request, with these images, by sha256, in the place of its own."""

        def exchanged(part: str | Picture) -> str | Picture:
            return replace(part, image=images.get(part.sha256, part.image)) if isinstance(part, Picture) else part

        return replace(self, turns=tuple(replace(turn, parts=tuple(map(exchanged, turn.parts))) for turn in self.turns))


class Scored(NamedTuple):
    """A token that could have been written: its text and bytes as `Tokenizer.spell` has them, and its natural log-probability."""

    text: str
    logprob: float
    raw: bytes | None = None


class TokenLogprob(NamedTuple):
    """A token that was written, as in `Scored`, and the likeliest in its place, best first.

    Of the distribution at the request's temperature (the model's own at 0), after the repetition penalty, before top-k and top-p.
    """

    text: str
    logprob: float
    top: tuple[Scored, ...] = ()
    raw: bytes | None = None


class Hypothesis(NamedTuple):
    """A beam at `step` (counted in tokens from 1), which continues the one at `parent` in the same tuple; None for the first.

    `text` is whole, `score` the sum of its log-probabilities; `rank`, of a finished one, is what it was compared by with the others.
    `choice` is the answer that it became.
    """

    text: str
    score: float
    parent: int | None
    step: int
    rank: float | None = None
    choice: int | None = None


@dataclass(frozen=True)
class TextDelta:
    """More text of a choice; never half a character, never part of a stop string.

    `logprobs`, where asked for, are of the tokens since the last delta: `text` is empty while a token's own is held back.
    """

    choice: int
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True)
class Provisional:
    """Beams only: the best text so far, whole. It replaces what came before."""

    choice: int
    text: str


@dataclass(frozen=True)
class ChoiceFinished:
    """No more text of this choice. `length` = it ran into `max_tokens` or the context window.

    `beams`, where asked for, is the tree of the search, parents before children, with the `length_penalty` that it ranked by.
    """

    choice: int
    reason: FinishReason
    beams: tuple[Hypothesis, ...] = ()
    length_penalty: float | None = None


@dataclass(frozen=True)
class Done:
    """The last event of every generation that was not cancelled. `completion_tokens` counts all choices."""

    prompt_tokens: int
    completion_tokens: int
    dropped_messages: int


Event = TextDelta | Provisional | ChoiceFinished | Done
