"""Runs the language model on the device: prefills prompts in chunks, decodes one token for each row, on one card or several.

What a row needs between steps stays on the device (its last token, length and block table), so that the next step can
start before the host has read what this one chose. On CUDA a decode step is a captured graph for each of a ladder of
batch sizes; rows that only pad a batch write to a slot and a block of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from engine.device.async_copy import upload
from engine.device.cuda_graphs import capture, capture_largest_first
from engine.kernels.beams import BeamState
from engine.kernels.decode_step import DecodeStep, StepRows
from engine.kv_cache.block_pool import BLOCK
from engine.kv_cache.cache import KVCache, LayerShard, PromptView, filled_up
from engine.models.llama.llama import Llama
from engine.models.llama.prompt_inputs import joined_deepstack
from engine.runner.packed_prompts import PackedPrompts
from engine.runner.prompt_graphs import LONG, SHORT, PrefillChunk, PromptGraphs, scales_of


class Decoded(NamedTuple):
    """What a decode step gives. It is valid until the next one, which may overwrite it: a graph's output has one place."""

    logits: Tensor  # [rows, vocabulary]
    likeliest: Tensor | None = None  # ids [rows], which are each row's last token now; None where the step chose none


class BeamMoves(NamedTuple):
    """How the beams of a search go on: each with a token, as what the beam `parents[i]` was, with `blocks[i]` from index `at` of its table.

    `copies` are the blocks (from, to) that are copied first.
    """

    tokens: Sequence[int]
    parents: Sequence[int]
    blocks: Sequence[int]
    at: int
    copies: Sequence[tuple[int, int]]


class ModelRunner:
    """Has `slots` rows (answers or beams being written) over one KV cache. After the start it allocates nothing but activations."""

    def __init__(
        self, language: Llama, cache: KVCache, step: DecodeStep, slots: int, context_length: int, ends: Collection[int] = ()
    ) -> None:
        """`ends` are the tokens that end an answer, which `bind` may bar."""
        self.language, self.cache, self.step = language, cache, step
        self.device = language.device
        self.filler = slots  # the slot of rows that only fill up a batch
        self.last = torch.zeros(slots + 1, dtype=torch.long, device=self.device)
        self.lengths = torch.zeros(slots + 1, dtype=torch.int32, device=self.device)
        self.offsets = torch.zeros(slots + 1, dtype=torch.int32, device=self.device)  # by which rotary positions differ from places
        self.tables = torch.zeros(slots + 1, -(-context_length // BLOCK), dtype=torch.int32, device=self.device)
        self.lora_scales = torch.zeros(slots + 1, len(language.adapters), dtype=language.dtype, device=self.device)
        self.ends = torch.tensor(sorted(ends), dtype=torch.long, device=self.device)
        self.ends_from = torch.zeros(slots + 1, dtype=torch.int32, device=self.device)  # cached tokens below which no end may be chosen
        self.cached_rows: tuple[list[int], Tensor] | None = None
        self.graphs: dict[tuple[int, int], DecodeGraph] = {}  # by the blocks that a row may have, and the rows
        self.prompt_graphs: PackedPrompts | PromptGraphs | None = None

    @torch.inference_mode()
    def capture(self, ladder: Sequence[int], progress: Callable[[str], None], prompts: bool = True) -> None:
        """Captures a decode step for each number of rows on the ladder, and passes over prompts if `prompts`; they share memory."""

        def capture_one(shape: tuple[int, int], pool: Any) -> DecodeGraph:
            blocks, size = shape
            graph = DecodeGraph(self, size, blocks, pool)
            progress(f"decode step captured for {size} rows" + f" of {blocks * BLOCK} tokens" * (not self.step.compact))
            return graph

        shapes = [(blocks, size) for blocks in self.captured_blocks() for size in ladder]
        self.graphs = capture_largest_first(shapes, capture_one, weight=lambda shape: shape[0] * shape[1])
        pool = self.graphs[min(self.graphs)].pool if self.graphs else None
        if prompts and len(self.cache.shards) == 1:
            self.prompt_graphs = self.capture_prompts(self.cache.shards[0], pool)
            progress("prompts captured")

    def captured_blocks(self) -> list[int]:
        """How many blocks of a row a graph reads at most: all that there can be, unless it would read as many for a short row."""
        most = self.tables.shape[1]
        return [most] if self.step.compact else sorted({min(tokens // BLOCK, most) for tokens in (SHORT, LONG)})

    def capture_prompts(self, shard: LayerShard, pool: Any) -> PackedPrompts | PromptGraphs:
        """Passes over prompts, by the step's kernels if it has any for them."""
        blocks = self.tables.shape[1]
        if self.step.prompts is None:
            return PromptGraphs(self.language, shard, blocks * BLOCK, pool)
        return PackedPrompts(self.language, self.step, self.step.prompts, shard, blocks, pool)

    @torch.inference_mode()
    def prefill(self, chunks: Sequence[PrefillChunk]) -> Tensor:
        """One pass over chunks of several prompts → next-token logits [chunks, vocabulary] after each."""
        if self.prompt_graphs is not None and self.prompt_graphs.has_room(chunks):
            return self.prompt_graphs.prefill(chunks)
        hidden = torch.cat([chunk.inputs.embeddings for chunk in chunks])[None]
        positions = torch.cat([chunk.inputs.placed(chunk.start) for chunk in chunks], dim=1)[:, None]
        deepstack = joined_deepstack([chunk.inputs for chunk in chunks])
        lora_scale = self.prompt_lora_scale(chunks)
        view = PromptView(self.cache, [(chunk.table, chunk.start, chunk.end) for chunk in chunks])
        places = upload(positions if self.language.config.mrope else positions[0], self.device)
        final: Tensor = self.language(hidden, places, view, lora_scale, None if deepstack is None else deepstack[:, None])
        ends = torch.tensor([len(chunk.inputs) for chunk in chunks]).cumsum(0) - 1
        return self.language.logits(final[0, ends.to(final.device)]).to(self.device)

    def prompt_lora_scale(self, chunks: Sequence[PrefillChunk]) -> Tensor | None:
        """LoRA's scales for each token of the chunks, [1, tokens, adapters]; None where they are 0 for all."""
        if not any(any(chunk.lora) for chunk in chunks):
            return None
        adapters = len(self.language.adapters)
        lora_scales = torch.cat([scales_of(chunk.lora, adapters).expand(len(chunk.inputs), -1) for chunk in chunks])[None]
        return lora_scales.to(self.device, self.language.dtype)

    @torch.inference_mode()
    def bind(
        self,
        slots: Sequence[int],
        tables: Sequence[Sequence[int]],
        length: int,
        lora: Sequence[float] = (),
        offset: int = 0,
        min_tokens: int = 0,
    ) -> None:
        """Lets these rows decode from here on: `length` tokens are cached in the blocks of `tables`, the next one's rotary position is
        `length + offset`, `lora` is as in `PrefillChunk`. `Decoded.likeliest` is none of the `ends` before a row has `min_tokens` new
        tokens.
        """
        self.set_tables(slots, tables)
        rows = self.rows(slots)
        self.lengths.index_fill_(0, rows, length)  # assigning a number by index would wait for the device
        self.offsets.index_fill_(0, rows, offset)
        self.ends_from.index_fill_(0, rows, length + min_tokens - 1 if min_tokens else 0)
        if self.language.adapters:
            scales = scales_of(lora, len(self.language.adapters)).to(self.lora_scales.dtype)
            self.lora_scales.index_copy_(0, rows, upload(scales.expand(len(slots), -1).contiguous(), self.device))

    @torch.inference_mode()
    def set_tables(self, slots: Sequence[int], tables: Sequence[Sequence[int]]) -> None:
        filled = torch.tensor([filled_up(table, self.tables.shape[1]) for table in tables], dtype=torch.int32)
        self.tables[self.rows(slots)] = upload(filled, self.device)

    @torch.inference_mode()
    def set_last_tokens(self, slots: Sequence[int], tokens: Tensor) -> None:
        """Sets the token that each row's next step takes as input, `tokens` [rows]."""
        self.last[self.rows(slots)] = tokens

    @torch.inference_mode()
    def continue_beams(self, slots: Sequence[int], moves: BeamMoves) -> Tensor:
        """Lets the beams in these slots go on from one another, by one transfer, because the device waits for it.

        → their last tokens [beams], on the device.
        """
        beams, rows = len(slots), self.rows(slots)
        pairs = [block for sides in zip(*moves.copies, strict=True) for block in sides]
        sent = upload(torch.from_numpy(np.array([*moves.tokens, *moves.parents, *moves.blocks, *pairs])), self.device)
        if self.step.beams is not None:
            self.step.beams.move(BeamState(self.tables, self.last), self.cache.shards[0], rows, sent, moves.at)
            return sent[:beams]
        tokens: Tensor
        tokens, parents, blocks, copies = sent.split((beams, beams, beams, 2 * len(moves.copies)))
        if pairs:
            for shard in self.cache.shards:
                shard.copy(*copies.to(shard.device).view(2, -1))
        tables = self.tables[rows[parents]]
        tables[:, moves.at :] = blocks[:, None]
        self.tables[rows], self.last[rows] = tables, tokens
        return tokens

    def rows(self, slots: Sequence[int]) -> Tensor:
        """The slots as indices on the device; kept, as they stay the same for many steps."""
        if self.cached_rows is None or self.cached_rows[0] != list(slots):
            self.cached_rows = list(slots), upload(torch.tensor(slots), self.device)
        return self.cached_rows[1]

    @torch.inference_mode()
    def decode(self, slots: Sequence[int], longest: int) -> Decoded:
        """One step of these rows, none of which has more than `longest` cached tokens."""
        shape = min((shape for shape in self.graphs if shape[0] > longest // BLOCK and shape[1] >= len(slots)), default=None)
        if shape is not None:
            return self.graphs[shape].replay(slots)
        rows = self.rows(slots)
        lengths, tables = self.lengths[rows], self.tables[rows, : longest // BLOCK + 1]
        logits = self.through_shards(self.embed_last(rows), StepRows(tables, lengths, self.positions(rows, lengths), self.lora_of(rows)))
        self.lengths[rows] += 1
        return Decoded(logits)

    def choose_likeliest(self, logits: Tensor, rows: Tensor, lengths: Tensor) -> Tensor:
        """The likeliest tokens [rows] after `lengths` cached ones, which become the rows' last; `logits` of barred ends become -inf."""
        if len(self.ends):
            barred = (lengths < self.ends_from[rows])[:, None]
            logits.index_copy_(1, self.ends, logits.index_select(1, self.ends).masked_fill(barred, -torch.inf))
        likeliest = logits.argmax(dim=-1)
        self.last.index_copy_(0, rows, likeliest)
        return likeliest

    def embed_last(self, rows: Tensor) -> Tensor:
        """The embeddings [rows, width] of these slots' last tokens."""
        return self.language.embed(self.last[rows])

    def positions(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """The rotary positions of these slots' new tokens, which have `lengths` tokens before them."""
        return lengths + self.offsets[rows] if self.language.config.mrope else lengths

    def lora_of(self, rows: Tensor) -> Tensor | None:
        return self.lora_scales[rows] if self.language.adapters else None

    def through_shards(self, hidden: Tensor, rows: StepRows) -> Tensor:
        """Through all shards, each on its own device."""
        for shard in self.cache.shards:
            hidden = self.step.layers(hidden.to(shard.device), shard, rows.to(shard.device))
        return self.step.logits(hidden).to(self.device)


class DecodeGraph:
    """One decode step of `size` rows of at most `blocks` blocks, captured once, a CUDA graph for each shard; between two shards the hidden
    states move."""

    def __init__(self, runner: ModelRunner, size: int, blocks: int, pool: Any) -> None:
        self.runner, self.size, self.blocks, self.pool = runner, size, blocks, pool
        self.rows = torch.full((size,), runner.filler, device=runner.device)
        self.slots: list[int] = []
        self.graphs: list[torch.cuda.CUDAGraph] = []
        self.inputs: list[tuple[Tensor, StepRows]] = []  # of each shard: hidden states, and its rows
        self.outputs: list[tuple[Tensor, StepRows]] = []  # what the next shard gets; of the last, the logits
        self.likeliest: Tensor | None = None  # tokens chosen from them, where there is one shard
        for index in range(len(runner.cache.shards)):
            self.capture_shard(index)

    def capture_shard(self, index: int) -> None:
        shard = self.runner.cache.shards[index]
        if index:
            hidden, rows = self.outputs[-1]
            self.inputs.append((hidden.to(shard.device), rows.to(shard.device)))
        graph, output = capture(lambda: self.compute(index), shard.device, self.pool if index == 0 else None)
        graph.replay()  # capturing computes nothing, and the next shard's trial needs lengths that are true
        self.graphs.append(graph)
        self.outputs.append(output)
        if index == 0:
            self.pool = graph.pool()

    def compute(self, index: int) -> tuple[Tensor, StepRows]:
        runner, shards = self.runner, self.runner.cache.shards
        if index == 0:
            lengths = runner.lengths[self.rows]
            rows = StepRows(
                runner.tables[self.rows, : self.blocks], lengths, runner.positions(self.rows, lengths), runner.lora_of(self.rows)
            )
            hidden = runner.embed_last(self.rows)
            runner.lengths.index_add_(0, self.rows, torch.ones_like(lengths))
            runner.lengths[runner.filler :].zero_()
        else:
            hidden, rows = self.inputs[index - 1]
        hidden = runner.step.layers(hidden, shards[index], rows)
        if index < len(shards) - 1:
            return hidden, rows
        logits = runner.step.logits(hidden)
        self.likeliest = runner.choose_likeliest(logits, self.rows, rows.lengths) if len(shards) == 1 else None
        return logits, rows

    def replay(self, slots: Sequence[int]) -> Decoded:
        """The next replay overwrites what this one returns."""
        if slots != self.slots:
            self.slots = list(slots)
            padded = self.slots + [self.runner.filler] * (self.size - len(slots))
            self.rows.copy_(upload(torch.tensor(padded), self.runner.device), non_blocking=True)
        for index, graph in enumerate(self.graphs):
            if index:
                (hidden, rows), (computed, before) = self.inputs[index - 1], self.outputs[index - 1]
                hidden.copy_(computed, non_blocking=True)
                rows.copy_(before)
            with torch.cuda.device_of(self.outputs[index][0]):
                graph.replay()
        logits = self.outputs[-1][0][: len(slots)].to(self.runner.device)
        return Decoded(logits, None if self.likeliest is None else self.likeliest[: len(slots)])
