"""Which token comes next: transformers' processors in transformers' order, and random numbers that no neighbour disturbs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.models.card import Generation

MASK_64 = (1 << 64) - 1


def penalise(scores: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Repetition penalty (Keskar et al. 2019): `scores` [rows, vocabulary], `seen` [rows, tokens] the ids generated so far."""
    if penalty == 1.0 or seen.shape[1] == 0:
        return scores
    chosen = scores.gather(1, seen)
    return scores.scatter(1, seen, torch.where(chosen < 0, chosen * penalty, chosen / penalty))


def bar(scores: Tensor, ids: frozenset[int]) -> Tensor:
    """Makes these ids impossible."""
    return scores.index_fill(-1, torch.tensor(sorted(ids), device=scores.device), -torch.inf)


def warp(scores: Tensor, generation: Generation, keep: int = 1) -> Tensor:
    """Temperature (> 0), then top-k, then top-p over `scores` [rows, vocabulary]; at least `keep` tokens stay possible."""
    scores = scores / generation.temperature
    if generation.top_k:
        scores = only_top_k(scores, max(generation.top_k, keep))
    if generation.top_p < 1.0:
        scores = only_top_p(scores, generation.top_p, keep)
    return scores


def only_top_k(scores: Tensor, k: int) -> Tensor:
    worst = scores.topk(min(k, scores.shape[-1])).values[..., -1:]
    return scores.masked_fill(scores < worst, -torch.inf)


def only_top_p(scores: Tensor, p: float, keep: int) -> Tensor:
    """The nucleus (Holtzman et al. 2019): the likeliest tokens whose probabilities reach `p` together."""
    ascending, order = scores.sort()
    unlikely = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - p
    unlikely[..., -keep:] = False
    return scores.masked_fill(unlikely.scatter(-1, order, unlikely), -torch.inf)


def uniforms(seed: int, row: int, position: int, count: int = 1) -> list[float]:
    """`count` numbers in [0, 1), a function of these arguments alone (Philox counters, Salmon et al. 2011)."""
    generator = np.random.Generator(np.random.Philox(key=seed & MASK_64, counter=[0, position, row, 0]))
    return [float(number) for number in generator.random(count)]


def draw(probabilities: Tensor, uniform: float) -> int:
    """An index into `probabilities` [n], which need not sum to 1, by inverting their distribution at `uniform`."""
    cumulative = probabilities.double().cumsum(0)
    found = torch.searchsorted(cumulative, cumulative[-1:] * uniform, right=True)
    return int(found.clamp(max=int(probabilities.nonzero()[-1])))


def draw_distinct(probabilities: Tensor, uniform: list[float]) -> Tensor:
    """As many different indices as there are uniforms, drawn one after another without replacement; [draws]."""
    remaining = probabilities.clone()
    drawn = torch.empty(len(uniform), dtype=torch.long, device=probabilities.device)
    for index, number in enumerate(uniform):
        drawn[index] = draw(remaining, number)
        remaining[drawn[index]] = 0
    return drawn


def choose(scores: Tensor, generation: Generation, seed: int, row: int, position: int) -> int:
    """The next token of one row from its penalised `scores` [vocabulary]: the likeliest at temperature 0, else a draw."""
    if generation.temperature == 0:
        return int(scores.argmax())
    probabilities = warp(scores[None], generation).softmax(dim=-1)[0]
    return draw(probabilities, uniforms(seed, row, position)[0])
