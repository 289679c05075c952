"""Gander as a contender: the engine as the server drives it, without HTTP."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from engine.bench.compete import WARM_UP
from engine.bench.contender import Timing, UnableError, precision
from engine.bench.roofline import wait_for
from engine.bench.workload import Talk, opening, prompt_tokens
from engine.core.build import build_engine
from engine.errors import EngineError
from engine.models.base import VisionLanguageModel
from engine.request import Done, Event, Provisional, Request, TextDelta

FURTHER = 300  # tokens of what is said beyond a first question: its answer, and the follow-up


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


class GanderContender:
    """Gander's, with room for `rows` answers of `tokens` tokens at once; `capability` as in `build_engine`."""

    def __init__(self, model: VisionLanguageModel, rows: int, tokens: int, capability: tuple[int, int] | None = None) -> None:
        self.model = model
        self.name = f"gander {precision(model)}"
        room = prompt_tokens(model, opening(WARM_UP)) + FURTHER + tokens  # tiles make a picture's prompt ten times as long as other models'
        self.engine = build_engine(model, rows=rows, tokens=rows * room, capability=capability)

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
