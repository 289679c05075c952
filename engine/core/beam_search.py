"""Beam search, and beam sampling above temperature 0, step by step as transformers' `generate` does it.

A search ends once no running beam could, at its present length, beat the worst of as many finished ones; with
`early_stopping` True as soon as there are so many, with "never" once none could at any length that it may still reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.core.sampler import candidates, gumbels
from engine.core.sampling_params import stream_key
from engine.device.async_copy import upload
from engine.models.card import Generation

IMPOSSIBLE = -1e9


@dataclass(frozen=True)
class Beam:
    """A hypothesis: its tokens and its score, the sum of log-probabilities; divided by length^penalty once finished."""

    ids: tuple[int, ...]
    score: float


@dataclass(frozen=True)
class Node:
    """A hypothesis in the tree of all that were followed or finished: one token after the one at index `parent`."""

    token: int
    score: float
    parent: int | None
    step: int  # how many tokens it has
    rank: float | None = None  # of a finished one: its score, divided by length^penalty


class BeamSearch:
    """One search over `num_beams` rows. `ends` says whether a row's ids end there (EOS or a stop string)."""

    def __init__(
        self,
        generation: Generation,
        ends: Callable[[tuple[int, ...]], bool],
        eos: int,
        max_tokens: int,
        seed: int,
        keeps_tree: bool = False,
    ) -> None:
        """`eos` is how many ids end an answer, `max_tokens` how many tokens one may have; `keeps_tree` fills `nodes`."""
        self.keeps_tree = keeps_tree
        self.generation, self.ends, self.max_tokens, self.seed = generation, ends, max_tokens, seed
        self.width = generation.num_beams
        self.candidates = max(2, 1 + eos) * self.width  # enough that `width` can go on when others end
        self.keep = eos + 1
        self.running = [Beam((), 0.0)] + [Beam((), IMPOSSIBLE)] * (self.width - 1)
        self.finished: list[Beam] = []  # best first, at most `width`
        self.done = False
        self.nodes: list[Node] = []
        self.node_of_row: list[int | None] = [None] * self.width
        self.ended: dict[tuple[int, ...], int] = {}  # the nodes of those that finished, by their tokens

    def take(self, ranked: Sequence[tuple[int, Beam]]) -> list[int]:
        """The best continuations of all beams together → for each row of the next step, the row that it continues."""
        ended = [self.ends(beam.ids) or len(beam.ids) >= self.max_tokens for _, beam in ranked]
        newly = [beam for (_, beam), end in zip(ranked[: self.width], ended, strict=False) if end]
        self.finished = sorted([*self.finished, *map(self.normalised, newly)], key=lambda beam: -beam.score)[: self.width]
        barred = [(parent, Beam(beam.ids, beam.score + IMPOSSIBLE * end)) for (parent, beam), end in zip(ranked, ended, strict=True)]
        going = sorted(barred, key=lambda pair: -pair[1].score)[: self.width]
        going += [(going[0][0], Beam(going[0][1].ids, IMPOSSIBLE))] * (self.width - len(going))  # fewer tokens possible than beams
        if self.keeps_tree:
            self.add_nodes([pair for pair, end in zip(ranked[: self.width], ended, strict=False) if end], finished=True)
            self.node_of_row = self.add_nodes(going)
        self.running = [beam for _, beam in going]
        self.done = all(ended) or self.cannot_improve()
        return [parent for parent, _ in going]

    def rank_likeliest(self, found: Tensor) -> list[tuple[int, Beam]]:
        """`rank`, by the log-probabilities and ids of each beam's likeliest tokens: `found` [2, num_beams, candidates] in fp32."""
        scores, ids = found.cpu().numpy()
        total = scores + np.array([[beam.score] for beam in self.running], dtype=np.float32)
        picked = np.argsort(-total, axis=None, kind="stable")[: self.candidates]
        rows = (picked // self.candidates).tolist()
        return [
            (row, Beam((*self.running[row].ids, int(token)), score))
            for row, token, score in zip(rows, ids.flat[picked].tolist(), total.flat[picked].tolist(), strict=True)
        ]

    def rank(self, log_probabilities: Tensor) -> list[tuple[int, Beam]]:
        """The best continuations of all beams together, or drawn ones above temperature 0, each with the row that it continues.

        `log_probabilities` [num_beams, vocabulary] are penalised already.
        """
        before = upload(torch.tensor([beam.score for beam in self.running]), log_probabilities.device)[:, None]
        if self.generation.temperature > 0:
            scores, ids = candidates(log_probabilities, [self.generation] * self.width, self.keep)
            total = (scores + before).flatten()
            picked = self.draw(total, ids)
        else:
            scores, ids = log_probabilities.topk(min(self.candidates, log_probabilities.shape[-1]))  # no row can give more
            total = (scores + before).flatten()
            picked = total.topk(self.candidates).indices
        parents, tokens = picked // scores.shape[-1], ids.expand_as(scores).flatten()[picked]
        found = torch.stack((parents.double(), tokens.double(), total[picked].double())).tolist()  # one transfer
        return [
            (int(parent), Beam((*self.running[int(parent)].ids, int(token)), score)) for parent, token, score in zip(*found, strict=True)
        ]

    def draw(self, total: Tensor, ids: Tensor) -> Tensor:
        """Indices into `total`, drawn one after another without replacement (Gumbel top-k, Kool et al. 2019).

        A beam's random numbers depend on its tokens and not on its row: beams of nearly the same score may change rows.
        """
        keys = upload(torch.tensor([stream_key(self.seed, beam.ids) for beam in self.running]), total.device)
        count = min(self.candidates, int(total.softmax(dim=-1).count_nonzero()))
        return (total + gumbels(keys, ids).flatten()).topk(count).indices

    def add_nodes(self, continued: Sequence[tuple[int, Beam]], *, finished: bool = False) -> list[int | None]:
        """Adds these (row that is continued, beam) to the tree → their indices; None for a beam that can't go on."""
        places: list[int | None] = []
        for row, beam in continued:
            alive = beam.score > IMPOSSIBLE / 2
            places.append(len(self.nodes) if alive else None)
            if alive and finished:
                self.ended[beam.ids] = len(self.nodes)
            rank = self.normalised(beam).score if finished else None
            self.nodes += [Node(beam.ids[-1], beam.score, self.node_of_row[row], len(beam.ids), rank)] * alive
        return places

    def normalised(self, beam: Beam) -> Beam:
        return Beam(beam.ids, beam.score / len(beam.ids) ** self.generation.length_penalty)

    def cannot_improve(self) -> bool:
        if len(self.finished) < self.width:
            return False
        return self.generation.early_stopping is True or self.best_attainable() <= self.finished[-1].score

    def best_attainable(self) -> float:
        """The best score that the best running beam can still get, as transformers estimates it."""
        beam, penalty = self.running[0], self.generation.length_penalty
        longest = self.generation.early_stopping == "never" and penalty > 0
        return beam.score / float((self.max_tokens if longest else len(beam.ids)) ** penalty)

    def best(self) -> Beam:
        """The best hypothesis so far, finished or not."""
        return max([*self.finished, *map(self.normalised, self.running[:1])], key=lambda beam: beam.score)
