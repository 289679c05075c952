"""Who competes: our engine in each precision, and beside it transformers' `generate` on the same weights.

transformers has no eye of ours: it is handed the embeddings that our model would read, and computes the same function
of them, so that its answer must be our exact engine's, token for token.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from transformers.generation.streamers import BaseStreamer

from engine.answer_text import AnswerText
from engine.bench.oracle import as_transformers
from engine.context import Context, ContextBuilder
from engine.decoding import Decoder
from engine.generation import Done, GenerationRequest, TextDelta, Turn
from engine.models.base import VisionLanguageModel
from engine.picture_cache import PictureCache
from engine.pictures import Picture


@dataclass(frozen=True)
class Timing:
    """One answer. Seconds run from the question: `first` to the first token, `whole` to the last of `tokens`."""

    first: float
    whole: float
    tokens: int
    text: str

    @property
    def tokens_per_second(self) -> float:
        """Of the decoding alone, since the first token is the prompt's work; for two tokens and more."""
        return (self.tokens - 1) / (self.whole - self.first)


class Contender(Protocol):
    """Anything that answers a conversation."""

    @property
    def name(self) -> str:
        """What the table calls it."""
        ...

    @property
    def model(self) -> VisionLanguageModel: ...

    def answer(self, turns: Sequence[Turn], tokens: int) -> Timing:
        """`tokens` greedy tokens, however soon the model would rather stop."""
        ...


class OurEngine:
    """The decoder as the server drives it, the wire left out."""

    def __init__(self, model: VisionLanguageModel) -> None:
        self.model, self.decoder = model, Decoder(model)
        self.name = f"gander {precision(model)}"
        self.generation = model.card.generation.model_copy(update={"temperature": 0.0, "num_beams": 1, "repetition_penalty": 1.0})

    def answer(self, turns: Sequence[Turn], tokens: int) -> Timing:
        generation = self.generation.model_copy(update={"max_tokens": tokens})
        begun = time.perf_counter()
        first, text, written = 0.0, "", 0
        for event in self.decoder.generate(GenerationRequest(tuple(turns), generation, min_tokens=tokens), lambda: False):
            if isinstance(event, TextDelta):
                first = first or time.perf_counter() - begun
                text += event.text
            elif isinstance(event, Done):
                written = event.completion_tokens
        whole = time.perf_counter() - begun
        return Timing(first or whole, whole, written, text)


def precision(model: VisionLanguageModel) -> str:
    """q4_1, int8, 4bit, or the type of unquantised weights."""
    quantization = model.card.quantization
    return (
        {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[model.language.dtype]
        if quantization == "none"
        else quantization
    )


class Transformers:
    """transformers' `generate` in fp32: one stream, its own cache."""

    name = "transformers fp32"

    def __init__(self, model: VisionLanguageModel) -> None:
        """`model` is ours in fp32."""
        self.model = model
        self.contexts, self.pictures = ContextBuilder(model), PictureCache(model)
        self.oracle = as_transformers(model.language)

    @torch.inference_mode()
    def answer(self, turns: Sequence[Turn], tokens: int) -> Timing:
        begun = time.perf_counter()
        pictures = self.pictures.encode([part for turn in turns for part in turn.parts if isinstance(part, Picture)])
        hidden = self.contexts.embed(Context(tuple(self.contexts.tokenise(turns, pictures)), 0))[None]
        clock, ends = Clock(), sorted(self.model.tokenizer.eos_ids)
        ids: Tensor = self.oracle.generate(
            inputs_embeds=hidden,
            attention_mask=torch.ones(hidden.shape[:2], dtype=torch.long),
            do_sample=False,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            eos_token_id=ends,
            pad_token_id=ends[0],
            streamer=clock,
        )
        text = AnswerText(self.model.tokenizer, self.model.card.template.stop).decode(ids[0].tolist())[0]
        return Timing(clock.tokens[0] - begun, clock.tokens[-1] - begun, len(clock.tokens), text)


class Clock(BaseStreamer):
    """Notes when each token came; `generate` hands over the prompt first."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    @property
    def tokens(self) -> list[float]:
        return self.calls[1:]

    def put(self, value: Tensor) -> None:
        self.calls.append(time.perf_counter())

    def end(self) -> None:
        """Nothing was held back."""
