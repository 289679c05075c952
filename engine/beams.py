"""Beam search, and beam sampling above temperature 0, step by step as transformers' `generate` does it.

`early_stopping` is False, transformers' default: the search ends once no running beam could, at its present length,
beat the worst of the finished ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.models.card import Generation
from engine.sampling import draw_distinct, uniforms, warp

NEVER = -1e9


@dataclass(frozen=True)
class Beam:
    """A hypothesis: its tokens and its score, the sum of log-probabilities; divided by length^penalty once finished."""

    ids: tuple[int, ...]
    score: float


class BeamSearch:
    """One search over `num_beams` rows. `ends` says whether a row's ids end there (EOS or a stop string)."""

    def __init__(self, generation: Generation, ends: Callable[[tuple[int, ...]], bool], eos: int, max_tokens: int, seed: int) -> None:
        """`eos` is how many ids end an answer, `max_tokens` how many tokens one may have."""
        self.generation, self.ends, self.max_tokens, self.seed = generation, ends, max_tokens, seed
        self.width = generation.num_beams
        self.candidates = max(2, 1 + eos) * self.width  # enough that `width` can go on when others end
        self.keep = eos + 1
        self.running = [Beam((), 0.0)] + [Beam((), NEVER)] * (self.width - 1)
        self.finished: list[Beam] = []  # best first, at most `width`
        self.done = False

    def step(self, log_probabilities: Tensor) -> list[int]:
        """[num_beams, vocabulary] in, already penalised → for each row of the next step, the row that it continues."""
        ranked = self.rank(log_probabilities)
        ended = [self.ends(beam.ids) or len(beam.ids) >= self.max_tokens for _, beam in ranked]
        newly = [beam for (_, beam), end in zip(ranked[: self.width], ended, strict=False) if end]
        self.finished = sorted([*self.finished, *map(self.normalised, newly)], key=lambda beam: -beam.score)[: self.width]
        barred = [(parent, Beam(beam.ids, beam.score + NEVER * end)) for (parent, beam), end in zip(ranked, ended, strict=True)]
        going = sorted(barred, key=lambda pair: -pair[1].score)[: self.width]
        going += [(going[0][0], Beam(going[0][1].ids, NEVER))] * (self.width - len(going))  # fewer tokens possible than beams
        self.running = [beam for _, beam in going]
        self.done = all(ended) or self.can_not_improve()
        return [parent for parent, _ in going]

    def rank(self, log_probabilities: Tensor) -> list[tuple[int, Beam]]:
        """The best (or drawn) continuations of all beams together, each with the row it continues."""
        scores = log_probabilities
        if self.generation.temperature > 0:
            scores = warp(scores, self.generation, self.keep)
        vocabulary = scores.shape[-1]
        before = torch.tensor([beam.score for beam in self.running], device=scores.device)
        total = (scores + before[:, None]).flatten()
        picked = self.draw(total) if self.generation.temperature > 0 else total.topk(self.candidates).indices
        pairs = zip(picked.tolist(), total[picked].tolist(), strict=True)
        return [(at // vocabulary, Beam((*self.running[at // vocabulary].ids, at % vocabulary), score)) for at, score in pairs]

    def draw(self, total: Tensor) -> Tensor:
        position = len(self.running[0].ids)
        probabilities = total.softmax(dim=-1)
        count = min(self.candidates, int(probabilities.count_nonzero()))
        return draw_distinct(probabilities, uniforms(self.seed, 0, position, count))

    def normalised(self, beam: Beam) -> Beam:
        return Beam(beam.ids, beam.score / len(beam.ids) ** self.generation.length_penalty)

    def can_not_improve(self) -> bool:
        return len(self.finished) == self.width and self.normalised(self.running[0]).score <= self.finished[-1].score

    def best(self) -> Beam:
        """The best hypothesis so far, finished or not."""
        return max([*self.finished, *map(self.normalised, self.running[:1])], key=lambda beam: beam.score)
