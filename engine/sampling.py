"""Which token comes next: transformers' processors in transformers' order, every row in its own way.

Random numbers are a function of seed, row and position alone, so that no neighbour disturbs an answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.models.card import Generation
from engine.transfer import upload

MASK_64 = (1 << 64) - 1


@dataclass(frozen=True)
class Way:
    """How one row's next token is to be chosen."""

    slot: int
    generation: Generation
    ends_barred: bool = False  # the answer is shorter than `min_tokens` yet
    uniform: float = 0.0  # the random number of this seed, row and position


class Sampler:
    """Processes and chooses for batches of rows; of each slot it remembers which tokens it has written."""

    def __init__(self, slots: int, vocabulary: int, ends: Collection[int], device: torch.device) -> None:
        self.device = device
        self.seen = torch.zeros(slots, vocabulary, dtype=torch.bool, device=device)
        self.is_end = torch.zeros(vocabulary, dtype=torch.bool, device=device)
        self.is_end[sorted(ends)] = True

    def begin(self, slot: int) -> None:
        """A new row has written nothing."""
        self.seen[slot] = False

    def process(self, scores: Tensor, ways: Sequence[Way]) -> Tensor:
        """`scores` [rows, vocabulary] after the repetition penalty (Keskar et al. 2019) and without the ends that are barred."""
        if any(way.generation.repetition_penalty != 1 for way in ways):
            penalty = self.upload([way.generation.repetition_penalty for way in ways])[:, None]
            penalised = torch.where(scores < 0, scores * penalty, scores / penalty)
            scores = torch.where(self.seen[self.upload([way.slot for way in ways])], penalised, scores)
        if any(way.ends_barred for way in ways):
            barred = self.upload([way.ends_barred for way in ways])[:, None]
            scores = scores.masked_fill(barred & self.is_end, -torch.inf)
        return scores

    def choose(self, scores: Tensor, ways: Sequence[Way]) -> Tensor:
        """Processed `scores` [rows, vocabulary] → token ids [rows]: the likeliest at temperature 0, else a draw."""
        likeliest = scores.argmax(dim=-1)
        if all(way.generation.temperature == 0 for way in ways):
            return likeliest
        warped, ids = candidates(scores, [way.generation for way in ways])
        drawn = draw(warped.softmax(dim=-1), self.upload([way.uniform for way in ways], torch.float64))
        greedy = self.upload([way.generation.temperature == 0 for way in ways])
        return torch.where(greedy, likeliest, ids.gather(1, drawn[:, None])[:, 0])

    def note(self, tokens: Tensor, ways: Sequence[Way], parents: Sequence[int] | None = None) -> None:
        """The rows wrote `tokens` [rows], after each became what row `parents[i]` was; kept only where a penalty asks for it."""
        if any(way.generation.repetition_penalty != 1 for way in ways):
            slots = self.upload([way.slot for way in ways])
            if parents is not None:
                self.seen[slots] = self.seen[slots[self.upload(parents)]]
            self.seen[slots, tokens] = True

    def upload(self, values: Sequence[float | int | bool], dtype: torch.dtype | None = None) -> Tensor:
        """[values] on the device, without waiting for it."""
        return upload(torch.tensor(values, dtype=dtype), self.device)


def candidates(scores: Tensor, generations: Sequence[Generation], keep: int = 1) -> tuple[Tensor, Tensor]:
    """Temperature, then top-k, then top-p (Holtzman et al. 2019) over `scores` [rows, vocabulary].

    → (scores, ids) [rows, candidates], likeliest first, -inf where a token is out; at least `keep` stay in each row. Rows at
    temperature 0 are left as they are at 1. Sorting stops where every row's top-k does.
    """
    vocabulary = scores.shape[-1]
    ranks = [min(max(made.top_k, keep), vocabulary) if made.top_k else vocabulary for made in generations]
    settings = torch.tensor(
        [[made.temperature or 1.0, made.top_p if made.top_p < 1 else 2.0, rank] for made, rank in zip(generations, ranks, strict=True)]
    )
    temperature, top_p, top_k = upload(settings, scores.device)[:, :, None].unbind(1)  # [rows, 1] each
    most, scaled = max(ranks), scores.div(temperature)
    sorts = scores.is_cuda and most == vocabulary  # there it is twice as fast as topk of all, on a CPU four times as slow
    likeliest, ids = scaled.sort(descending=True) if sorts else scaled.topk(most)
    rank = torch.arange(most, device=scores.device)
    likeliest = likeliest.masked_fill(rank >= top_k, -torch.inf)
    # A nucleus of all would lose its tail to rounding, so it reaches past 1.
    before = likeliest.softmax(dim=-1).cumsum(dim=-1).roll(1, dims=-1)
    before[:, 0] = 0
    return likeliest.masked_fill((before >= top_p) & (rank >= keep), -torch.inf), ids


def row_uniforms(seed: int, row: int, count: int) -> list[float]:
    """`count` numbers in [0, 1), one a position (Philox counters, Salmon et al. 2011)."""
    return philox(seed, (0, 0, row, 1), count)


def step_uniforms(seed: int, position: int, count: int) -> list[float]:
    """`count` numbers in [0, 1) for all beams of one step."""
    return philox(seed, (0, position, 0, 0), count)


def philox(seed: int, counter: tuple[int, int, int, int], count: int) -> list[float]:
    numbers = np.random.Generator(np.random.Philox(key=seed & MASK_64, counter=list(counter))).random(count)
    return [float(number) for number in numbers]


def draw(probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """Indices [rows] into `probabilities` [rows, n], which need not sum to 1, by inverting each distribution at its number in [0, 1)."""
    cumulative = probabilities.double().cumsum(dim=-1)
    found = torch.searchsorted(cumulative, cumulative[:, -1:] * uniforms[:, None], right=True)[:, 0]
    possible = (probabilities > 0) * torch.arange(1, probabilities.shape[-1] + 1, device=probabilities.device)
    last = (possible.amax(dim=-1) - 1).clamp(min=0)  # of a row that is no distribution at all, any index will do but none outside
    return torch.minimum(found, last)  # rounding may reach past the last that is possible


def draw_distinct(probabilities: Tensor, uniforms: Sequence[float]) -> Tensor:
    """As many different indices into `probabilities` [n] as there are uniforms, one after another without replacement; [draws]."""
    remaining, drawn = probabilities.clone()[None], []
    for number in uniforms:
        drawn.append(draw(remaining, torch.tensor([number], dtype=torch.float64, device=probabilities.device)))
        remaining = remaining.index_fill(1, drawn[-1], 0.0)
    return torch.cat(drawn)


def log_probabilities(scores: Tensor, ways: Sequence[Way]) -> Tensor:
    """Of processed `scores` [rows, vocabulary] at each row's temperature (1 at temperature 0), before top-k and top-p."""
    temperature = upload(torch.tensor([way.generation.temperature or 1.0 for way in ways]), scores.device)
    return scores.div(temperature[:, None]).log_softmax(dim=-1)
