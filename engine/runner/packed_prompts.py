"""Prefills prompts packed side by side, by kernels that read them so: many short prompts take one pass, whatever their lengths.

A pass is a CUDA graph of the smallest of a few sizes that the prompts fit into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.device.async_copy import upload
from engine.device.cuda_graphs import capture, capture_largest_first
from engine.kernels.decode_step import DecodeStep
from engine.kernels.prompts import TILE, PromptStep, PromptTiles
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import LayerShard
from engine.runner.prompt_graphs import LONGEST, PrefillChunk

SIZES = (32, 64, 128, 256, LONGEST)  # tokens of a pass, in whole tiles


def tiles_of(chunk: PrefillChunk) -> int:
    """Tiles that the chunk takes; its last one may be filled up."""
    return -(-len(chunk.inputs) // TILE)


def passes(chunks: Sequence[PrefillChunk]) -> Iterator[list[PrefillChunk]]:
    """All chunks in order, as many at a time as the largest pass takes. Raises ValueError for one that none takes."""
    taken: list[PrefillChunk] = []
    for chunk in chunks:
        if len(chunk.inputs) > LONGEST:
            raise ValueError(f"{len(chunk.inputs)} tokens are more than a pass of {LONGEST} can read")
        if sum(map(tiles_of, taken)) + tiles_of(chunk) > LONGEST // TILE:
            yield taken
            taken = []
        taken.append(chunk)
    yield taken


class PackedPass:
    """One pass over `size` tokens, captured: its inputs have fixed places, and its output has one."""

    def __init__(self, step: DecodeStep, prompts: PromptStep, shard: LayerShard, hidden: Tensor, blocks: int, pool: Any) -> None:
        """`hidden` [size, width] is where embeddings will stand; no prompt has more than `blocks` blocks."""
        self.step, self.prompts, self.shard, self.hidden, self.blocks = step, prompts, shard, hidden, blocks
        self.count = len(hidden) // TILE
        # Tables, starts and counts of the tiles; then the last token of each chunk, of which there may be one a tile.
        self.places = torch.zeros(self.count * (blocks + 3), dtype=torch.int32, device=hidden.device)
        tables, starts, counts, self.ends = self.places.split((self.count * blocks, self.count, self.count, self.count))
        self.tiles = PromptTiles(tables.view(self.count, blocks), starts, counts)
        self.graph, self.logits = capture(self.compute, hidden.device, pool)

    @property
    def pool(self) -> Any:
        return self.graph.pool()

    def compute(self) -> Tensor:
        return self.step.logits(self.prompts.layers(self.hidden, self.shard, self.tiles)[self.ends])

    def replay(self, chunks: Sequence[PrefillChunk]) -> Tensor:
        """Logits [chunks, vocabulary] after each; the next replay overwrites them."""
        tables, rest = np.zeros((self.count, self.blocks), np.int32), np.zeros((3, self.count), np.int32)
        at = 0
        for number, chunk in enumerate(chunks):
            tokens, tiles = len(chunk.inputs), tiles_of(chunk)
            offsets = np.arange(tiles, dtype=np.int32) * TILE
            tables[at : at + tiles, : -(-chunk.end // BLOCK)] = chunk.table[: -(-chunk.end // BLOCK)]
            rest[0, at : at + tiles] = chunk.start + offsets
            rest[1, at : at + tiles] = np.minimum(tokens - offsets, TILE)
            rest[2, number] = at * TILE + tokens - 1
            self.hidden[at * TILE : at * TILE + tokens].copy_(chunk.inputs.embeddings, non_blocking=True)
            at += tiles
        places = torch.from_numpy(np.concatenate((tables, rest), axis=None))
        self.places.copy_(upload(places, self.places.device), non_blocking=True)
        self.graph.replay()
        return self.logits[: len(chunks)]


class PackedPrompts:
    """Prefills chunks by the smallest pass with room for them."""

    def __init__(self, step: DecodeStep, prompts: PromptStep, shard: LayerShard, like: Tensor, blocks: int, pool: Any) -> None:
        """`like` [..., width] has the type and device of embeddings; `blocks` as in `PackedPass`."""
        self.blocks = blocks
        hidden = torch.zeros(LONGEST, like.shape[-1], dtype=like.dtype, device=like.device)
        self.graphs = capture_largest_first(
            SIZES,
            lambda size, pool: PackedPass(step, prompts, shard, hidden[:size], blocks, pool),
            weight=lambda size: size,
            pool=pool,
        )

    def has_room(self, chunks: Sequence[PrefillChunk]) -> bool:
        """Whether none of the chunks ends beyond what was captured."""
        return all(chunk.end <= self.blocks * BLOCK for chunk in chunks)

    def prefill(self, chunks: Sequence[PrefillChunk]) -> Tensor:
        """Logits [chunks, vocabulary] after each."""
        return torch.cat([self.smallest(taken).replay(taken).clone() for taken in passes(chunks)])

    def smallest(self, chunks: Sequence[PrefillChunk]) -> PackedPass:
        tokens = TILE * sum(map(tiles_of, chunks))
        return self.graphs[min(size for size in self.graphs if size >= tokens)]
