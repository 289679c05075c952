"""Asks a model what somebody's data asks, and holds its answers against what the data says; beside a base, if there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core.build import build_engine
from engine.core.engine import Engine
from engine.errors import EngineError
from engine.evaluation.text_scores import TextScores, score_all
from engine.images.decode import decode_picture
from engine.models.base import VisionLanguageModel
from engine.models.card import Generation
from engine.prompts.turn import Turn
from engine.request import Event, Request, TextDelta
from engine.training.alignment.dataset import LIMITS, Example, StoredPicture
from engine.weights.loader import Quantize, load

CAPTION = "Describe this image in detail."  # what a row without a question asks
ROWS = 8  # questions that are answered together on any device


@dataclass(frozen=True)
class Candidate:
    """A model's folder, and the adapter that it answers with, "" = none of `adapters`."""

    folder: Path
    adapters: tuple[tuple[str, Path], ...] = ()
    adapter: str = ""


@dataclass(frozen=True)
class Question:
    """One question of the data: `before` are the turns of its conversation so far, with the answers that the data has.

    `references` are what may be answered: several where rows ask the same of the same pictures.
    """

    pictures: tuple[StoredPicture, ...]
    before: tuple[tuple[str, str], ...]
    question: str
    references: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Answered:
    """What a model said; `failed` where it could say nothing, and why."""

    text: str
    failed: str = ""


@dataclass(frozen=True)
class DataResult:
    """`answers` and `scores` in the order of `questions`."""

    answers: tuple[Answered, ...]
    scores: tuple[TextScores, ...]

    @property
    def means(self) -> dict[str, float]:
        count = max(len(self.scores), 1)
        return {
            "exact match": sum(each.exact for each in self.scores) / count,
            "F1 of words": sum(each.f1 for each in self.scores) / count,
            "CIDEr": sum(each.cider for each in self.scores) / count,
        }

    @property
    def failed(self) -> int:
        return sum(bool(answer.failed) for answer in self.answers)


def questions_of(examples: Sequence[Example]) -> list[Question]:
    """Every turn of every example, those that ask the same joined."""
    found: dict[tuple[object, ...], Question] = {}
    for example in examples:
        for at, (question, answer) in enumerate(example.turns):
            before = example.turns[:at]
            key = (tuple(picture.key for picture in example.pictures), before, question)
            earlier = found.get(key)
            references = (*(earlier.references if earlier else ()), answer)
            found[key] = Question(example.pictures, before, question, references, earlier.where if earlier else example.where)
    return list(found.values())


def ask_all(candidate: Candidate, questions: Sequence[Question], quantize: Quantize, max_tokens: int) -> DataResult:
    """Greedy answers to all questions. Raises ModelError for a folder or an adapter that can't be loaded."""
    model = load(candidate.folder, exact=quantize == "none", quantize=quantize, adapters=dict(candidate.adapters))
    answers = tuple(answered(model, questions, candidate.adapter, max_tokens))
    return DataResult(answers, tuple(score_all([answer.text for answer in answers], [question.references for question in questions])))


def answered(model: VisionLanguageModel, questions: Sequence[Question], adapter: str, max_tokens: int) -> Iterator[Answered]:
    generation = model.card.generation.model_copy(update={"temperature": 0.0, "num_beams": 1, "max_tokens": max_tokens})
    engine = build_engine(model, rows=ROWS)
    for start in range(0, len(questions), 4 * ROWS):  # so many pictures are decoded at once
        yield from together(engine, [request_for(question, generation, adapter) for question in questions[start : start + 4 * ROWS]])


def together(engine: Engine, requests: Sequence[Request]) -> list[Answered]:
    events: list[list[Event | EngineError]] = [[] for _ in requests]
    for request, heard in zip(requests, events, strict=True):
        engine.add(request, heard.append)
    while engine.step():
        pass
    return [outcome(heard) for heard in events]


def outcome(events: Sequence[Event | EngineError]) -> Answered:
    failed = next((str(event) for event in events if isinstance(event, EngineError)), "")
    return Answered("".join(event.text for event in events if isinstance(event, TextDelta)).strip(), failed)


def request_for(question: Question, generation: Generation, adapter: str) -> Request:
    pictures = [decode_picture(picture.read(), LIMITS) for picture in question.pictures]
    turns: list[Turn] = []
    for asked, said in (*question.before, (question.question, None)):
        turns.append(Turn("user", (*pictures, asked or CAPTION)))
        pictures = []
        if said is not None:
            turns.append(Turn("assistant", (said,)))
    return Request(tuple(turns), generation, adapter=adapter)
