"""The interface of every contender, and Gander's own: the engine as the server drives it, without HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image

from engine.bench.roofline import wait_for
from engine.bench.workload import Talk
from engine.core.build import build_engine
from engine.errors import EngineError
from engine.models.base import VisionLanguageModel
from engine.request import Done, Event, Provisional, Request, TextDelta


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


@dataclass
class RecordedAnswer:
    """The events of one answer, with their times."""

    begun: float
    first: float = 0.0
    text: str = ""
    written: int = 0
    error: EngineError | None = None

    def record(self, event: Event | EngineError) -> None:
        if isinstance(event, TextDelta | Provisional):
            self.first = self.first or time.perf_counter() - self.begun
        if isinstance(event, TextDelta):
            self.text += event.text
        elif isinstance(event, Done):
            self.written = event.completion_tokens
        elif isinstance(event, EngineError):
            self.error = event


class OurEngine:
    """Gander's, with room for `rows` rows and `tokens` tokens of all of them together; `capability` as in `build_engine`."""

    def __init__(self, model: VisionLanguageModel, rows: int, tokens: int, capability: tuple[int, int] | None = None) -> None:
        self.model = model
        self.name = f"gander {precision(model)}"
        self.engine = build_engine(model, rows=rows, tokens=tokens, capability=capability)

    def answer(self, talk: Talk, tokens: int) -> Timing:
        begun = time.perf_counter()
        (recorded,) = self.run([talk], tokens)
        whole = time.perf_counter() - begun
        return Timing(recorded.first or whole, whole, recorded.written, recorded.text)

    def write(self, talks: Sequence[Talk], tokens: int) -> None:
        self.run(talks, tokens)

    def search(self, talk: Talk, beams: int, tokens: int) -> None:
        self.run([talk], tokens, beams)

    def encode(self, pictures: Sequence[Image.Image]) -> None:
        self.model.encode(pictures)
        wait_for(self.model.device)

    def chat(self, talks: Sequence[Talk], tokens: int) -> list[str]:
        return [recorded.text for recorded in self.run(talks, tokens)]

    def close(self) -> None:
        """There is nothing to free."""

    def run(self, talks: Sequence[Talk], tokens: int, beams: int = 1) -> list[RecordedAnswer]:
        generation = self.model.card.generation.model_copy(
            update={"temperature": 0.0, "repetition_penalty": 1.0, "num_beams": beams, "max_tokens": tokens}
        )
        answers = [RecordedAnswer(time.perf_counter()) for _ in talks]
        for talk, recorded in zip(talks, answers, strict=True):
            self.engine.add(Request(talk, generation, min_tokens=tokens), recorded.record)
        while self.engine.step():
            pass
        for recorded in answers:
            check(recorded, tokens)
        return answers


def check(recorded: RecordedAnswer, tokens: int) -> None:
    """Raises UnableError unless exactly the wanted number of tokens was written."""
    if recorded.error is not None:
        raise UnableError(str(recorded.error))
    if recorded.written != tokens:
        raise UnableError(f"{recorded.written} tokens were written, not {tokens}: the context window is too short, or a stop string came")


def precision(model: VisionLanguageModel) -> str:
    """q4_1, int8, 4bit, or the type of unquantised weights."""
    quantization = model.card.quantization
    return (
        {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[model.language_model.dtype]
        if quantization == "none"
        else quantization
    )


Enter = Callable[[VisionLanguageModel], Contender]
