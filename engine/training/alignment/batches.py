"""Which rows a step trains on, and how they become the tensors of one forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from engine.training.alignment.features import Features
from engine.training.alignment.templates import SOFT, TrainingRow

SHARED_LEAST = 0.1  # of a batch's tokens


@dataclass(frozen=True)
class Order:
    """Every row once an epoch, in an order that the seed decides; a step that an epoch ends in goes on with the next."""

    rows: int
    batch: int
    seed: int

    def step(self, step: int) -> list[int]:
        """The rows of one step, over all processes."""
        places = range(step * self.batch, (step + 1) * self.batch)
        return [int(shuffled(self.rows, self.seed, place // self.rows)[place % self.rows]) for place in places]

    def epoch(self, step: int) -> float:
        """How many epochs are done before the step."""
        return step * self.batch / self.rows


@lru_cache(maxsize=2)
def shuffled(rows: int, seed: int, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng((seed, epoch)).permutation(rows)


@dataclass(frozen=True)
class Batch:
    """Rows padded on the right. Indices point into the rows laid out one behind the other, [rows · tokens].

    `ids` [rows, tokens], 0 where a picture or padding stands; `soft` where soft tokens go; `before` [learned] the places that must
    foretell `targets` [learned]; `positions` as `Llama.forward` takes them; `features` one a picture, in the order of `soft`; `states`
    [rows, tokens, width] what comes out of the layers that are frozen, where that is kept. All rows begin with the same `shared` tokens,
    0 where knowing that saves little.
    """

    ids: Tensor
    soft: Tensor
    before: Tensor
    targets: Tensor
    positions: Tensor
    features: tuple[Features, ...]
    states: Tensor | None = None
    shared: int = 0

    @property
    def tokens(self) -> int:
        """That go through the layers, padding too."""
        return self.ids.numel() - (len(self.ids) - 1) * self.shared


def collate(rows: Sequence[TrainingRow], features: Sequence[Features], device: torch.device) -> Batch:
    """`features` are those of all the rows' pictures, in order."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), 0)
    learned = torch.zeros(len(rows), longest, dtype=torch.bool)
    for at, row in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row.ids)
        learned[at, : len(row)] = torch.tensor(row.learned)
    places = learned.flatten().nonzero()[:, 0]
    soft = (ids.flatten() == SOFT).nonzero()[:, 0]
    targets, positions = ids.flatten()[places], positions_of(rows, longest)
    shared = shared_start(ids, learned, positions)
    ids, soft, before, targets, positions = (
        tensor.to(device, non_blocking=True) for tensor in (ids.clamp(min=0), soft, places - 1, targets, positions)
    )
    return Batch(ids, soft, before, targets, positions, tuple(features), shared=shared)


def shared_start(ids: Tensor, learned: Tensor, positions: Tensor) -> int:
    """How many tokens all rows begin with, before any picture and anything that foretells a learned token; 0 where to compute them once
    saves less than `SHARED_LEAST` of the batch."""
    same = (ids == ids[0]).all(0) & (ids[0] != SOFT) & (positions == positions[..., :1, :]).flatten(0, -2).all(0)
    same[:-1] &= ~learned.any(0)[1:]
    length = int(same.cumprod(0).sum())
    return length if (len(ids) - 1) * length >= SHARED_LEAST * ids.numel() else 0


def positions_of(rows: Sequence[TrainingRow], longest: int) -> Tensor:
    """[1, tokens], or [3, rows, tokens] where a picture's differ from its tokens' places."""
    own = [row.positions for row in rows]
    plain = torch.arange(longest)
    if all(positions is None for positions in own):
        return plain[None]
    padded = plain.expand(3, len(rows), -1).clone()
    for at, positions in enumerate(own):
        if positions is not None:
            padded[:, at, : positions.shape[1]] = positions
    return padded
