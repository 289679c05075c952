"""A request inside the engine: one group of sequences, which share a prompt and its cache blocks. No torch.

SequenceGroup   one request from its arrival to its last event
├── SampledGroup    `n` sequences, each of which chooses its own next token (greedy ones too)
└── BeamGroup       beams that compete (`engine.core.beam_group`)
Sequence        one answer that is written token by token
"""

from __future__ import annotations

import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from PIL import Image

from engine.api import FinishReason
from engine.core.detokenizer import Detokenizer
from engine.core.sampling_params import SamplingParams, stream_key
from engine.errors import EngineError
from engine.kv_cache.block_pool import BLOCK, Key, digests
from engine.models.base import Tokenizer
from engine.models.reasoning import left_open
from engine.request import ChoiceFinished, Event, Request, TextDelta, TokenLogprob

if TYPE_CHECKING:
    from engine.grammar import Matcher
    from engine.prompts.context import Context

NO_PIXELS = Image.new("RGB", (1, 1))
PROMPT_END = 32  # tokens in which a template would open the model's reasoning
Emit = Callable[[Event | EngineError], None]


class SequenceGroup(ABC):
    """One request from its arrival to its last event.

    It gets its prompt (`set_prompt`) once its pictures are encoded, its slots and blocks when the scheduler admits it, and its first
    token once the prompt is in the cache. After admission `tables[row]` says which block holds the row's tokens 16·i … 16·i+15:
    first the prompt's full blocks, shared by all rows, then the row's own.
    """

    def __init__(self, request: Request, emit: Emit, tokenizer: Tokenizer, stops: tuple[str, ...]) -> None:
        """`emit` gets every event; `stops` are the strings that end an answer."""
        self.request, self.emit, self.tokenizer, self.stops = request, emit, tokenizer, stops
        self.seed = secrets.randbits(64) if request.seed is None else request.seed
        self.rows = max(request.n, request.generation.num_beams)  # of the batch, that it takes while it is decoded
        self.finished = False  # closed: nothing more is emitted
        self.arrived = time.monotonic()
        self.last_token_at: float | None = None  # by time.monotonic()
        self.pictures_encoded = 0  # pictures that had to be encoded for it; the others were in the cache
        self.context: Context | None = None
        self.lora: tuple[float, ...] = ()  # the scales of the model's LoRA adapters
        self.thinking = ""  # the marker of reasoning that the prompt ends behind: some templates open it for the model
        self.matcher: Matcher | None = None  # of the request's schema, at an answer's beginning
        self.keys: list[Key] = []  # the prompt, a key a token
        self.chain: list[bytes] = []  # digests of the prompt's full blocks
        self.max_tokens = 0  # new tokens that a row may have
        self.computed = 0  # tokens of the prompt that are in the cache
        self.reused = 0  # of these, how many were found there
        self.slots: list[int] = []  # a row's place in the batch
        self.tables: list[list[int]] = []

    def set_prompt(self, context: Context, max_tokens: int, matcher: Matcher | None = None) -> None:
        """The pictures are encoded and the prompt is known; each row may have `max_tokens` new tokens, as `matcher` allows them."""
        self.context, self.max_tokens, self.matcher = context, max_tokens, matcher
        if self.tokenizer.reasoning:
            self.thinking = left_open(self.tokenizer.decode(context.last_tokens(PROMPT_END)), self.tokenizer.reasoning)
        self.keys = context.keys
        self.chain = digests(self.keys, self.root)

    def drop_pixels(self) -> None:
        """It is over, and its pictures go now: the group itself, in a cycle with its sequences, waits for a garbage collection."""
        self.request = self.request.with_images({picture.key: NO_PIXELS for picture in self.request.pictures})

    @property
    def root(self) -> str:
        """Tells apart what equal keys would not: by which LoRA adapters a prompt is read. See `digests`."""
        return f"{'seen' if self.has_pictures else ''}:{self.request.adapter}"

    @property
    def has_pictures(self) -> bool:
        return self.context is not None and self.context.has_pictures

    @property
    def continued(self) -> tuple[int, ...]:
        """The last tokens of the text that the answer goes on with, if it does; a character may take four."""
        return self.context.last_tokens(4) if self.request.continues and self.context else ()

    @property
    def full_blocks(self) -> int:
        """Blocks that the prompt fills: all rows share them."""
        return len(self.keys) // BLOCK

    @property
    def own_blocks(self) -> int:
        """Blocks that each row needs for the rest of the prompt and its answer."""
        return -(-(len(self.keys) % BLOCK + self.max_tokens) // BLOCK)

    @property
    def blocks(self) -> int:
        """All blocks that the group could ever need."""
        return self.full_blocks + self.rows * self.own_blocks

    @property
    def prefilled(self) -> bool:
        """Whether the whole prompt is in the cache."""
        return self.computed == len(self.keys)

    @property
    @abstractmethod
    def started(self) -> bool:
        """Whether its rows are bound to their slots and their first tokens chosen."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether every answer is complete."""

    @property
    @abstractmethod
    def reason(self) -> FinishReason:
        """How the first of its answers ended."""

    @property
    @abstractmethod
    def tokens_written(self) -> int:
        """New tokens of all answers together."""

    @property
    @abstractmethod
    def cached_ids(self) -> list[list[int]]:
        """For each row the new token ids whose keys and values are in the row's blocks, for a follow-up to find; none before it started."""


class Sequence:
    """One of the `n` answers to a request. The device may be asked for its next token before the host has seen its last one."""

    def __init__(self, group: SampledGroup, choice: int) -> None:
        """`choice` is its number among the answers, from 0."""
        self.group, self.choice = group, choice
        self.text = Detokenizer(group.tokenizer, group.stops, group.continued, group.thinking)
        self.launched = 0  # tokens that the device was asked for
        self.ids: list[int] = []  # tokens that the host has seen, EOS included
        self.reason: FinishReason | None = None
        self.matcher = group.matcher and group.matcher.copy()

    @property
    def slot(self) -> int:
        """Its row's place in the batch."""
        return self.group.slots[self.choice]

    @property
    def length(self) -> int:
        """Tokens that its row keeps in the cache: the prompt and all new tokens but the last."""
        return len(self.group.keys) + self.launched - 1

    def decodes(self, *, after_first: bool = False) -> bool:
        """Whether it takes part in the coming decode step; `after_first` if its first token is chosen before that step.

        With a grammar only once the host has seen its last token, on which the next one depends.
        """
        launched = self.launched + after_first
        known = self.matcher is None or launched == len(self.ids)
        return self.reason is None and launched < self.group.max_tokens and known

    def launch(self) -> None:
        """The device was asked for its next token."""
        self.launched += 1

    def next_params(self) -> SamplingParams:
        """How its next token is to be chosen. To be called once a token: it counts as asked for from then on."""
        request, position = self.group.request, self.launched
        self.launch()
        key = stream_key(self.group.seed, (self.choice, position)) if request.generation.temperature > 0 else 0
        if self.matcher is not None:  # the grammar alone says when there may be an end
            return SamplingParams(self.slot, request.generation, bias=request.logit_bias, allowed=self.matcher.allowed(), key=key)
        return SamplingParams(self.slot, request.generation, position < request.min_tokens, request.logit_bias, key=key)

    def append(self, token: int, logprobs: tuple[TokenLogprob, ...] = ()) -> Iterator[Event]:
        """The token that the device chose → the events that it causes. Tokens after the answer's end are dropped."""
        if self.reason is not None:
            return
        self.ids.append(token)
        shown, stopped = ("", True) if token in self.group.tokenizer.eos_ids else self.text.push(token)
        stopped = stopped or (self.matcher is not None and self.matcher.accept(token))
        if stopped or len(self.ids) == self.group.max_tokens:
            self.reason = "stop" if stopped else "length"
            shown += self.text.finish()
        if shown or logprobs:
            yield TextDelta(self.choice, shown, logprobs)
        if self.reason:
            yield ChoiceFinished(self.choice, self.reason)


class SampledGroup(SequenceGroup):
    """The `n` answers to one request, each written token by token without regard to the others."""

    def __init__(self, request: Request, emit: Emit, tokenizer: Tokenizer, stops: tuple[str, ...]) -> None:
        super().__init__(request, emit, tokenizer, stops)
        self.sequences: list[Sequence] = []

    def set_prompt(self, context: Context, max_tokens: int, matcher: Matcher | None = None) -> None:
        super().set_prompt(context, max_tokens, matcher)
        self.sequences = [Sequence(self, choice) for choice in range(self.rows)]

    @property
    def takes_likeliest(self) -> bool:
        """Whether each next token is the likeliest by the model's own scores (ends may be barred), and no scores are asked for."""
        request = self.request
        changed = request.generation.temperature > 0 or request.generation.penalises or request.logit_bias or self.matcher is not None
        return not changed and request.logprobs is None

    @property
    def started(self) -> bool:
        return any(sequence.launched for sequence in self.sequences)

    @property
    def done(self) -> bool:
        return bool(self.sequences) and all(sequence.reason for sequence in self.sequences)

    @property
    def reason(self) -> FinishReason:
        return self.sequences[0].reason or "length"

    @property
    def tokens_written(self) -> int:
        return sum(len(sequence.ids) for sequence in self.sequences)

    @property
    def cached_ids(self) -> list[list[int]]:
        return [sequence.ids[:-1] for sequence in self.sequences] if self.started else []
