"""One request to the engine and the events that answer it: what the HTTP server and the engine's core exchange. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from PIL.Image import Image

from engine.api import FinishReason
from engine.boxes import Sight
from engine.explanation import ExplainedAnswer
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.models.looks import Look
from engine.prompts.turn import Turn

if TYPE_CHECKING:
    from engine.grammar import Matcher
    from engine.prompts.context import Context


@dataclass(frozen=True)
class AnswerToExplain:
    """An answer, finished or so far, whose coming about is asked for instead of a new one. `ids` of its tokens; empty: those of `text`."""

    text: str
    ids: tuple[int, ...] = ()
    rivals: int = 6
    layer: int | None = None  # of the language model, whose attention is wanted; None: the mean over all


@dataclass(frozen=True)
class Request:
    """One answer to make, or `n` of them. `generation` is complete: what the client left out is filled in from the model's card.

    Requests that ask for the same are equal, whatever their `id`; a copy by `replace` has an id of its own.
    """

    turns: tuple[Turn, ...]
    generation: Generation
    min_tokens: int = 0  # the end-of-answer token is barred before so many new tokens; a stop string still ends
    stop: tuple[str, ...] = ()  # besides the template's own
    seed: int | None = None  # None = another one each time
    n: int = 1  # answers; with beams: the n best, n ≤ num_beams
    logprobs: int | None = None  # None = off; else how many alternatives a token. Never with beams
    beam_tree: bool = False  # `ChoiceFinished.beams` is wanted. Only with beams
    logit_bias: tuple[tuple[int, float], ...] = ()  # token ids and what is added to their scores
    continues: bool = False  # the answer goes on with the last turn, which is the assistant's
    adapter: str = ""  # the name of the LoRA adapter that it is answered with, beside the base; "" = the base alone
    schema: str | None = None  # the JSON schema that the answer keeps to. Never with beams
    explains: AnswerToExplain | None = None  # ours: no new answer is wanted, but how this one came about
    find: str = ""  # what is looked for, where the last turn asks that in the model's own words
    id: str = field(default_factory=lambda: uuid4().hex, init=False, compare=False)
    # What `Preprocessor.prepare` found out: the schema's grammar, how many tokens texts have, the prompt if no picture of it is new.
    matcher: Matcher | None = field(default=None, compare=False, repr=False)
    counted: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    context: Context | None = field(default=None, compare=False, repr=False)

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in order, one that is shown several times as often."""
        return [part for turn in self.turns for part in turn.parts if isinstance(part, Picture)]

    def with_images(self, images: Mapping[str, Image]) -> Request:
        """The same request with other pixels: `images` by the `key` of the picture that they replace."""
        return self.with_pictures(lambda picture: replace(picture, image=images.get(picture.key, picture.image)))

    def with_looks(self, settle: Callable[[Look], Look]) -> Request:
        """The same request, each of its pictures looked at as `settle` says of the look that was wished for."""
        alone = len(self.pictures) == 1
        looks = {picture.look: settle(Look(picture.look.detail, alone)) for picture in self.pictures}
        if all(wished == look for wished, look in looks.items()):
            return self
        return self.with_pictures(lambda picture: replace(picture, look=looks[picture.look]))

    def with_pictures(self, exchanged: Callable[[Picture], Picture]) -> Request:
        """The same request, by its id too, with other pictures."""
        same = copy(self)
        parts = ((exchanged(part) if isinstance(part, Picture) else part for part in turn.parts) for turn in self.turns)
        turns = tuple(replace(turn, parts=tuple(changed)) for turn, changed in zip(self.turns, parts, strict=True))
        object.__setattr__(same, "turns", turns)  # `replace` would give it another id
        return same


class Scored(NamedTuple):
    """A token that could have been written: its text and bytes as `Tokenizer.spell` gives them, and its natural log-probability."""

    text: str
    logprob: float
    raw: bytes | None = None


class TokenLogprob(NamedTuple):
    """A token that was written, as in `Scored`, and the likeliest tokens in its place, best first.

    Log-probabilities are those at the request's temperature (the model's own at 0), after the repetition penalty, before top-k and
    top-p.
    """

    text: str
    logprob: float
    top: tuple[Scored, ...] = ()
    raw: bytes | None = None


class Hypothesis(NamedTuple):
    """One node of a beam search's tree: a text of `step` tokens, counted from 1.

    `parent` is the index, in the same tuple, of the hypothesis that it continues, None for a first token. `text` is the whole text
    so far, `score` the sum of its log-probabilities. A finished one has a `rank`, its score divided by length^penalty, and if it
    became an answer, that answer's number as `choice`.
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

    `logprobs`, where asked for, are of the tokens since the last delta: `text` is empty while a token's own text is held back.
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
    """No more text of this choice. `length` = it reached `max_tokens` or the end of the context window.

    `beams`, where asked for, is the tree of the search, parents before children, with the `length_penalty` it was ranked by.
    """

    choice: int
    reason: FinishReason
    beams: tuple[Hypothesis, ...] = ()
    length_penalty: float | None = None


@dataclass(frozen=True)
class Done:
    """The last event of every request that was neither aborted nor refused. `completion_tokens` counts all choices."""

    prompt_tokens: int
    completion_tokens: int
    dropped_messages: int
    sight: Sight | None = None  # of a model that says where things are


@dataclass(frozen=True)
class Explained:
    """What a request with `explains` gets, and nothing else before its `Done`."""

    explanation: ExplainedAnswer


Event = TextDelta | Provisional | ChoiceFinished | Explained | Done
