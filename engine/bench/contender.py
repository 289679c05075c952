"""The interface of every contender, so that one scenario measures all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image

from engine.bench.workload import Talk
from engine.models.base import VisionLanguageModel


class UnableError(Exception):
    """A contender can't do this; `str(error)` says why, for the table."""


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
    """Something to measure. What it can't do raises UnableError. All answers are greedy and exactly `tokens` long."""

    @property
    def name(self) -> str:
        """Its name in the table."""
        ...

    @property
    def model(self) -> VisionLanguageModel: ...

    def answer(self, talk: Talk, tokens: int) -> Timing:
        """Answers one question, streaming; returns when its tokens came."""
        ...

    def write(self, talks: Sequence[Talk], tokens: int) -> None:
        """Answers all questions at once, in one batch."""
        ...

    def search(self, talk: Talk, beams: int, tokens: int) -> None:
        """Answers one question by beam search."""
        ...

    def encode(self, pictures: Sequence[Image.Image]) -> None:
        """Encodes prepared pictures into embeddings on the device, in one batch."""
        ...

    def chat(self, talks: Sequence[Talk], tokens: int) -> list[str]:
        """Answers many conversations at once, with a cache of what was said before."""
        ...

    def close(self) -> None:
        """Frees what would otherwise stay in memory."""
        ...


def precision(model: VisionLanguageModel) -> str:
    """q4_1, int8, 4bit, or the type of unquantised weights."""
    quantization = model.card.quantization
    return (
        {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[model.language_model.dtype]
        if quantization == "none"
        else quantization
    )


Enter = Callable[[VisionLanguageModel], Contender]
