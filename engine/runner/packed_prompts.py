"""Prefills prompts packed side by side, by kernels that read them so: many short prompts take one pass, whatever their lengths.

A pass is a CUDA graph of the smallest of a few sizes that the prompts fit into.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.device.async_copy import upload
from engine.device.cuda_graphs import capture, capture_largest_first
from engine.kernels.decode_step import DecodeStep
from engine.kernels.prompts import TILE, PromptStep, PromptTiles
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import LayerShard
from engine.models.llama.llama import Llama
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


class PassInputs(NamedTuple):
    """Where the embeddings of a pass's tokens will stand, and what is added to them behind the first layers."""

    hidden: Tensor  # [tokens, width]
    deepstack: Tensor  # [layers, tokens, width]: of no layers where the model has none
    axes: int  # of positions: three for M-RoPE; 0 = tokens are rotated by their places

    @classmethod
    def of(cls, language: Llama, tokens: int) -> PassInputs:
        config = language.config
        hidden = torch.zeros(tokens, config.hidden_size, dtype=language.dtype, device=language.device)
        return cls(hidden, hidden.new_zeros(config.deepstack, *hidden.shape), 0 if config.mrope is None else 3)

    def first(self, tokens: int) -> PassInputs:
        """Those of a smaller pass, in the same memory."""
        return PassInputs(self.hidden[:tokens], self.deepstack[:, :tokens], self.axes)


class PackedPass:
    """One pass over `size` tokens, captured: its inputs have fixed places, and its output has one."""

    def __init__(self, step: DecodeStep, prompts: PromptStep, shard: LayerShard, inputs: PassInputs, blocks: int, pool: Any) -> None:
        """No prompt has more than `blocks` blocks."""
        self.step, self.prompts, self.shard, self.inputs, self.blocks = step, prompts, shard, inputs, blocks
        hidden = inputs.hidden
        self.count = len(hidden) // TILE
        # Tables, starts and counts of the tiles; then the last token of each chunk, of which there may be one a tile; then positions.
        sizes = (self.count * blocks, self.count, self.count, self.count, inputs.axes * len(hidden))
        self.places = torch.zeros(sum(sizes), dtype=torch.int32, device=hidden.device)
        tables, starts, counts, self.ends, positions = self.places.split(sizes)
        turned = positions.view(inputs.axes, len(hidden)) if inputs.axes else None
        self.tiles = PromptTiles(tables.view(self.count, blocks), starts, counts, turned)
        self.graph, self.logits = capture(self.compute, hidden.device, pool)

    @property
    def pool(self) -> Any:
        return self.graph.pool()

    def compute(self) -> Tensor:
        hidden, deepstack, _ = self.inputs
        return self.step.logits(self.prompts.layers(hidden, self.shard, self.tiles, deepstack if len(deepstack) else None)[self.ends])

    def replay(self, chunks: Sequence[PrefillChunk]) -> Tensor:
        """Logits [chunks, vocabulary] after each; the next replay overwrites them."""
        hidden, deepstack, axes = self.inputs
        tables, rest = np.zeros((self.count, self.blocks), np.int32), np.zeros((3, self.count), np.int32)
        positions = np.zeros((axes, len(hidden)), np.int32)
        deepstack.zero_()
        at = 0
        for number, chunk in enumerate(chunks):
            tokens, tiles = len(chunk.inputs), tiles_of(chunk)
            offsets = np.arange(tiles, dtype=np.int32) * TILE
            tables[at : at + tiles, : -(-chunk.end // BLOCK)] = chunk.table[: -(-chunk.end // BLOCK)]
            rest[0, at : at + tiles] = chunk.start + offsets
            rest[1, at : at + tiles] = np.minimum(tokens - offsets, TILE)
            rest[2, number] = at * TILE + tokens - 1
            taken = slice(at * TILE, at * TILE + tokens)
            hidden[taken].copy_(chunk.inputs.embeddings, non_blocking=True)
            if chunk.inputs.deepstack is not None:
                deepstack[:, taken].copy_(chunk.inputs.deepstack, non_blocking=True)
            if axes:
                positions[:, taken] = chunk.inputs.placed(chunk.start).numpy()
            at += tiles
        places = torch.from_numpy(np.concatenate((tables, rest, positions), axis=None))
        self.places.copy_(upload(places, self.places.device), non_blocking=True)
        self.graph.replay()
        return self.logits[: len(chunks)]


class PackedPrompts:
    """Prefills chunks by the smallest pass with room for them."""

    def __init__(self, language: Llama, step: DecodeStep, prompts: PromptStep, shard: LayerShard, blocks: int, pool: Any) -> None:
        """`blocks` as in `PackedPass`."""
        self.blocks = blocks
        inputs = PassInputs.of(language, LONGEST)
        self.graphs = capture_largest_first(
            SIZES,
            lambda size, pool: PackedPass(step, prompts, shard, inputs.first(size), blocks, pool),
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
