"""The two decode loops: rows that go their own ways, and beams that compete."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.answer_text import AnswerText
from engine.api import FinishReason
from engine.beams import Beam, BeamSearch
from engine.generation import ChoiceFinished, Event, GenerationRequest, Provisional, TextDelta
from engine.models.base import Tokenizer
from engine.runner import Runner
from engine.sampling import bar, choose, penalise

Loop = Generator[Event, None, int | None]  # returns how many tokens all choices have; None when cancelled


class Choice:
    """One of the `n` answers to a request, while it is written."""

    def __init__(self, index: int, text: AnswerText) -> None:
        self.index, self.text = index, text
        self.tokens = 0
        self.reason: FinishReason | None = None

    def advance(self, token: int, is_end: bool, is_last: bool) -> Iterator[Event]:
        """`is_end`: the token is EOS; `is_last`: no token may follow it."""
        self.tokens += 1
        shown, stopped = ("", True) if is_end else self.text.push(token)
        if stopped or is_last:
            self.reason = "stop" if stopped else "length"
            shown += self.text.finish()
        if shown:
            yield TextDelta(self.index, shown)
        if self.reason:
            yield ChoiceFinished(self.index, self.reason)


@dataclass(frozen=True)
class Answering:
    """What both loops need of one request. `budget` is how many new tokens a row may have."""

    request: GenerationRequest
    runner: Runner
    tokenizer: Tokenizer
    stops: Sequence[str]
    budget: int
    seed: int
    cancelled: Callable[[], bool]

    def extend(self, logits: Tensor) -> Loop:
        """Greedy or sampled rows, from the prompt's next-token `logits` [n, vocabulary]."""
        choices = [Choice(row, AnswerText(self.tokenizer, self.stops)) for row in range(self.request.n)]
        written = torch.empty(self.request.n, 0, dtype=torch.long, device=logits.device)
        for position in range(self.budget):
            if self.cancelled():
                return None
            if position:
                logits = self.runner.step(written[:, -1])
            scores = self.process(logits, written, position)
            tokens = [choose(scores[row], self.request.generation, self.seed, row, position) for row in range(self.request.n)]
            for choice, token in zip(choices, tokens, strict=True):
                if choice.reason is None:
                    yield from choice.advance(token, token in self.tokenizer.eos_ids, position == self.budget - 1)
            if all(choice.reason for choice in choices):
                break
            written = torch.cat((written, torch.tensor(tokens, device=logits.device)[:, None]), dim=1)
        return sum(choice.tokens for choice in choices)

    def search(self, logits: Tensor) -> Loop:
        """Beams, from the prompt's next-token `logits` [beams, vocabulary]. The text comes once, at the end."""
        search = BeamSearch(self.request.generation, self.ends, len(self.tokenizer.eos_ids), self.budget, self.seed)
        shown = ""
        while not search.done:
            if self.cancelled():
                return None
            written = torch.tensor([beam.ids for beam in search.running], dtype=torch.long, device=logits.device)
            if written.shape[1]:
                logits = self.runner.step(written[:, -1])
            scores = self.process(logits.log_softmax(dim=-1), written, written.shape[1])
            self.runner.reorder(search.step(scores))
            text = self.text(search.best())
            if text != shown:
                shown = text
                yield Provisional(0, text)
        best = search.finished[: self.request.n]
        for index, beam in enumerate(best):
            yield TextDelta(index, self.text(beam))
            yield ChoiceFinished(index, "stop" if self.ends(beam.ids) else "length")
        return sum(len(beam.ids) for beam in best)

    def process(self, scores: Tensor, written: Tensor, position: int) -> Tensor:
        """What holds for every way to choose: the repetition penalty, and no end before `min_tokens`."""
        scores = penalise(scores, written, self.request.generation.repetition_penalty)
        return bar(scores, self.tokenizer.eos_ids) if position < self.request.min_tokens else scores

    def ends(self, ids: tuple[int, ...]) -> bool:
        return ids[-1] in self.tokenizer.eos_ids or (bool(self.stops) and self.answer(ids)[1])

    def text(self, beam: Beam) -> str:
        return self.answer(beam.ids)[0]

    def answer(self, ids: Sequence[int]) -> tuple[str, bool]:
        return AnswerText(self.tokenizer, self.stops).decode([token for token in ids if token not in self.tokenizer.eos_ids])
