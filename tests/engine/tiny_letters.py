"""A real, tiny torch model behind the real worker: it writes letters, each from the one before, until its limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from engine.core.worker import Loaded
from engine.errors import ContextError, EngineError
from engine.models.card import Card, Generation, Template
from engine.request import ChoiceFinished, Done, Event, Request, Scored, TextDelta, TokenLogprob

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CARD = Card(
    name="letters",
    architecture="pocket",
    context_length=64,
    template=Template(user="{content}", assistant="{content}", answer=""),
    generation=Generation(temperature=0.0, max_tokens=20),
)


@dataclass
class Letters:
    """One letter a step; `pause_seconds` slows it to where a test can look on. `steps` counts the work that was done."""

    pause_seconds: float = 0.0
    steps: int = 0
    begun: list[str] = field(default_factory=list)  # the questions, in the order in which it took them up
    running: threading.Event = field(default_factory=threading.Event)
    going: threading.Event = field(default_factory=threading.Event)  # cleared, it stands still at its next letter
    forgotten: list[str] = field(default_factory=list)
    requests: dict[str, Iterator[None]] = field(default_factory=dict)  # by id, oldest first

    def __post_init__(self) -> None:
        self.going.set()
        torch.manual_seed(0)
        self.cell, self.embedding, self.head = nn.GRUCell(8, 16), nn.Embedding(26, 8), nn.Linear(16, 26)

    def add(self, request: Request, emit: Callable[[Event | EngineError], None]) -> None:
        self.requests[request.id] = self.write(request, emit)

    def abort(self, request_id: str) -> None:
        self.requests.pop(request_id, None)

    def forget(self, pictures: Sequence[str]) -> None:
        self.forgotten += pictures

    @torch.inference_mode()
    def step(self) -> bool:
        for request_id, writing in list(self.requests.items())[:1]:
            if next(writing, self) is self:
                del self.requests[request_id]
        return bool(self.requests)

    def write(self, request: Request, emit: Callable[[Event | EngineError], None]) -> Iterator[None]:
        text = " ".join(part for turn in request.turns for part in turn.parts if isinstance(part, str))
        if "too long" in text:
            emit(ContextError("This does not fit into 64 tokens.", "messages"))
            return
        if "poison" in text:
            self.embedding(torch.tensor([99]))  # an IndexError from inside torch, as a bug would be
        self.begun.append(text)
        self.running.set()
        state, letter = torch.zeros(1, 16), torch.tensor([len(text) % 26])
        for _ in range(request.generation.max_tokens):
            state = self.cell(self.embedding(letter), state)
            scores = self.head(state).log_softmax(-1)[0]
            letter = scores.argmax(-1, keepdim=True)
            self.steps += 1
            time.sleep(self.pause_seconds)
            self.going.wait(timeout=90)
            emit(TextDelta(0, LETTERS[int(letter)], scored(scores, request.logprobs)))
            yield
        emit(ChoiceFinished(0, "length"))
        emit(Done(len(text), request.generation.max_tokens, 0))

    def load(self) -> Loaded:
        self.requests.clear()  # a model that is loaded afresh knows nothing of what was asked before
        return Loaded(self, "cpu", lambda: 1)


def scored(scores: Tensor, count: int | None) -> tuple[TokenLogprob, ...]:
    """The likeliest letter and the `count` likeliest; `scores` [letters] are log-probabilities."""
    if count is None:
        return ()
    values, places = scores.topk(max(1, count))
    top = [Scored(LETTERS[at], value, LETTERS[at].encode()) for at, value in zip(places.tolist(), values.tolist(), strict=True)]
    return (TokenLogprob(top[0].text, top[0].logprob, tuple(top[:count]), top[0].raw),)
