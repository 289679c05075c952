"""Prefills prompts through CUDA graphs: prompts are short, and launching hundreds of kernels would take longer than running them.

A graph has a fixed number of prompts, of new tokens for each and of tokens to attend to; what is shorter is padded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.device.async_copy import upload
from engine.device.cuda_graphs import capture, capture_largest_first
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import LayerShard, attend_masked, filled_up
from engine.models.llama.llama import Llama
from engine.models.llama.prompt_inputs import PromptInputs

LONGEST = 512  # tokens of a prompt in one pass
SIZES = ((1, 32), (1, 64), (1, 128), (1, 256), (1, LONGEST), (4, 128))  # prompts, tokens each; smallest first
SHORT, LONG = 512, 2048  # tokens of context that most questions stay within, and nearly all; a graph reads as many for every prompt


@dataclass(frozen=True)
class PrefillChunk:
    """A chunk of a prompt to prefill, from its token `start` on, cached in the blocks of `table`."""

    inputs: PromptInputs
    table: Sequence[int]
    start: int
    lora: Sequence[float] = ()  # the scale of each of the model's LoRA adapters; none = all are off

    @property
    def end(self) -> int:
        return self.start + len(self.inputs)


@dataclass(frozen=True)
class Shape:
    """What a graph has room for: `prompts` chunks of `tokens` tokens each, none of which ends beyond position `context`."""

    prompts: int
    tokens: int
    context: int

    def takes(self, chunks: Sequence[PrefillChunk]) -> bool:
        fitting = all(len(chunk.inputs) <= self.tokens and chunk.end <= self.context for chunk in chunks)
        return fitting and len(chunks) <= self.prompts


def shapes(context_length: int) -> list[Shape]:
    """The shapes that are captured, smallest first."""
    contexts = sorted({min(SHORT, context_length), min(LONG, context_length)})
    return [Shape(*size, -(-context // BLOCK) * BLOCK) for context in contexts for size in SIZES]


def grouped(chunks: Sequence[PrefillChunk], sizes: Sequence[Shape]) -> Iterator[tuple[Shape, Sequence[PrefillChunk]]]:
    """All parts in order, each time as many as the first shape with room for them takes. Raises ValueError for one that none takes."""
    while chunks:
        found = ((shape, count) for count in range(len(chunks), 0, -1) for shape in sizes if shape.takes(chunks[:count]))
        shape, count = next(found, (None, 0))
        if shape is None:
            raise ValueError(f"{len(chunks[0].inputs)} tokens up to {chunks[0].end} are more than a pass can read")
        yield shape, chunks[:count]
        chunks = chunks[count:]


def scales_of(lora: Sequence[float], adapters: int) -> Tensor:
    """[adapters], of a chunk or a row."""
    return torch.tensor(lora) if lora else torch.zeros(adapters)


class PaddedView:
    """Attention for chunks of several prompts, one a row, padded; see `engine.models.llama.llama.Cache`. Reads no value on the host."""

    def __init__(self, shard: LayerShard, tables: Tensor, positions: Tensor, real: Tensor) -> None:
        """`tables` [prompts, blocks], `positions` [prompts, tokens], and which tokens are `real` [prompts, tokens]."""
        self.shard, self.tables = shard, tables
        blocks = tables.gather(1, (positions // BLOCK).clamp(max=tables.shape[1] - 1))
        self.places = torch.where(real, blocks * BLOCK + positions % BLOCK, 0).flatten()  # place 0 belongs to nobody
        self.mask = (torch.arange(tables.shape[1] * BLOCK, device=tables.device) <= positions[:, :, None])[:, None]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        keys, values = self.shard.keys[layer - self.shard.first], self.shard.values[layer - self.shard.first]
        keys.flatten(0, 1)[self.places] = key.transpose(1, 2).flatten(0, 1)
        values.flatten(0, 1)[self.places] = value.transpose(1, 2).flatten(0, 1)
        all_keys, all_values = (pool[self.tables].flatten(1, 2).transpose(1, 2) for pool in (keys, values))
        return attend_masked(query, all_keys, all_values, self.mask)


class PromptGraph:
    """The graph of one shape, for a model on one device."""

    def __init__(self, language: Llama, shard: LayerShard, shape: Shape, pool: Any) -> None:
        self.language, self.shard, self.shape = language, shard, shape
        device, width = shard.device, language.config.hidden_size
        self.hidden = torch.zeros(shape.prompts, shape.tokens, width, dtype=language.dtype, device=device)
        self.tables = torch.zeros(shape.prompts, shape.context // BLOCK, dtype=torch.long, device=device)
        self.borders = torch.ones(2, shape.prompts, dtype=torch.long, device=device)  # starts, and how many tokens are real
        self.lora_scales = torch.zeros(shape.prompts, len(language.adapters), dtype=language.dtype, device=device)
        self.places = None if language.config.mrope is None else torch.zeros(3, *self.hidden.shape[:2], dtype=torch.long, device=device)
        self.deepstack = self.hidden.new_zeros(language.config.deepstack, *self.hidden.shape)
        self.graph, self.logits = capture(self.compute, device, pool)

    @property
    def pool(self) -> Any:
        return self.graph.pool()

    def compute(self) -> Tensor:
        starts, counts = self.borders
        offsets = torch.arange(self.shape.tokens, device=self.hidden.device)
        positions = starts[:, None] + offsets
        view = PaddedView(self.shard, self.tables, positions, offsets < counts[:, None])
        final = self.language(
            self.hidden, positions if self.places is None else self.places, view, self.lora_scales[:, None], self.deepstack
        )
        last = final.gather(1, (counts - 1)[:, None, None].expand(-1, 1, final.shape[2]))[:, 0]
        return self.language.logits(last)

    def replay(self, chunks: Sequence[PrefillChunk]) -> Tensor:
        """Logits [chunks, vocabulary] after each."""
        blank = self.shape.prompts - len(chunks)
        tables = torch.zeros(self.tables.shape, dtype=torch.long)
        for row, chunk in enumerate(chunks):
            blocks = chunk.table[: -(-chunk.end // BLOCK)]
            tables[row] = torch.tensor(filled_up(blocks, tables.shape[1]))
            self.fill(row, chunk)
        borders = torch.tensor([[chunk.start for chunk in chunks] + [0] * blank, [len(chunk.inputs) for chunk in chunks] + [1] * blank])
        lora_scales = torch.zeros(self.lora_scales.shape, dtype=self.lora_scales.dtype)
        for row, chunk in enumerate(chunks):
            lora_scales[row] = scales_of(chunk.lora, lora_scales.shape[1])
        for target, source in ((self.tables, tables), (self.borders, borders), (self.lora_scales, lora_scales)):
            target.copy_(upload(source, target.device), non_blocking=True)
        self.graph.replay()
        return self.logits[: len(chunks)].clone()

    def fill(self, row: int, chunk: PrefillChunk) -> None:
        """Writes what the model reads of a chunk to its row of the graph's inputs."""
        inputs, missing = chunk.inputs, self.shape.tokens - len(chunk.inputs)
        self.hidden[row] = pad(inputs.embeddings, (0, 0, 0, missing))
        if self.places is not None:
            self.places[:, row].copy_(upload(pad(inputs.placed(chunk.start), (0, missing)), self.places.device), non_blocking=True)
        if len(self.deepstack):
            self.deepstack[:, row] = 0 if inputs.deepstack is None else pad(inputs.deepstack, (0, 0, 0, missing))


class PromptGraphs:
    """Prefills chunks by the graph of the first shape that fits."""

    def __init__(self, language: Llama, shard: LayerShard, context_length: int, pool: Any) -> None:
        self.shapes = shapes(context_length)
        self.graphs = capture_largest_first(
            self.shapes,
            lambda shape, pool: PromptGraph(language, shard, shape, pool),
            weight=lambda shape: shape.prompts * shape.tokens * shape.context,
            pool=pool,
        )

    def has_room(self, chunks: Sequence[PrefillChunk]) -> bool:
        """Whether none of the chunks ends beyond what was captured."""
        return all(chunk.end <= self.shapes[-1].context for chunk in chunks)

    def prefill(self, chunks: Sequence[PrefillChunk]) -> Tensor:
        """Logits [chunks, vocabulary] after each; short ones are read together."""
        return torch.cat([self.graphs[shape].replay(group) for shape, group in grouped(chunks, self.shapes)])
