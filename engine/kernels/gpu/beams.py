"""What a beam search does between two decode steps, in a launch each, because the device waits for the host then.

One ranks each beam's tokens; one moves tables, last tokens and copies of blocks.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.beams import BeamState
from engine.kv_cache.cache import LayerShard

PART = 4096  # values of a block that a program copies
VOCABULARY = 1 << 16  # tokens that a program holds in its registers


@triton.jit(do_not_specialize=["vocabulary", "count", "beams"])
def rank_kernel(logits, is_end, out, vocabulary, count, beams, SIZE: tl.constexpr):
    """One beam: its likeliest tokens, one after the other."""
    beam, token = tl.program_id(0), tl.arange(0, SIZE)
    inside = token < vocabulary
    scores = tl.load(logits + beam * vocabulary + token, inside, -float("inf"))
    peak = tl.max(scores, axis=0)
    whole = peak + tl.log(tl.sum(tl.exp(scores - peak), axis=0))
    if is_end is not None:
        scores = tl.where(tl.load(is_end + token, inside, 0) != 0, -float("inf"), scores)
    for place in range(count):
        best = tl.max(scores, axis=0)
        found = tl.minimum(tl.min(tl.where(scores == best, token, SIZE), axis=0), vocabulary - 1)  # NaN is equal to nothing
        tl.store(out + beam * count + place, best - whole)
        tl.store(out + (beams + beam) * count + place, found.to(tl.float32))
        scores = tl.where(token == found, -float("inf"), scores)


@triton.jit
def move_tables(tables, last, slots, moves, at, beams, table_stride, width, BEAMS: tl.constexpr, WIDTH: tl.constexpr):
    beam, place = tl.arange(0, BEAMS), tl.arange(0, WIDTH)[None, :]
    live = beam < beams
    slot, token = tl.load(slots + beam, live, 0), tl.load(moves + beam, live, 0)
    parent, block = tl.load(moves + beams + beam, live, 0), tl.load(moves + 2 * beams + beam, live, 0)
    there = live[:, None] & (place < width)
    taken = tl.load(tables + (tl.load(slots + parent, live, 0) * table_stride)[:, None] + place, there, 0)
    tl.debug_barrier()  # every table is read before any is written
    tl.store(tables + (slot * table_stride)[:, None] + place, tl.where(place < at, taken, block[:, None].to(tl.int32)), there)
    tl.store(last + slot, token, live)


@triton.jit(do_not_specialize=["at", "beams", "copies", "table_stride", "width"])
def move_kernel(
    tables, last, slots, moves, keys, values, at, beams, copies, table_stride, width, layer_stride,
    BEAMS: tl.constexpr, WIDTH: tl.constexpr, SIZE: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """The first program of the first axis moves tables and tokens, each other one copies a part of a block in one layer."""
    program = tl.program_id(0)
    if program == 0:
        if tl.program_id(1) == 0:
            move_tables(tables, last, slots, moves, at, beams, table_stride, width, BEAMS, WIDTH)
        return
    PARTS: tl.constexpr = tl.cdiv(SIZE, PART)
    pair, part = (program - 1) // PARTS, (program - 1) % PARTS * PART + tl.arange(0, PART)
    inside, layer = part < SIZE, tl.program_id(1).to(tl.int64) * layer_stride
    source = layer + tl.load(moves + 3 * beams + pair) * SIZE + part
    target = layer + tl.load(moves + 3 * beams + copies + pair) * SIZE + part
    tl.store(keys + target, tl.load(keys + source, inside), inside)
    tl.store(values + target, tl.load(values + source, inside), inside)


class TritonBeams:
    """See `engine.kernels.beams.BeamKernels`."""

    def most_ranked(self) -> int:
        """See `BeamKernels`."""
        return VOCABULARY

    def rank(self, logits: Tensor, is_end: Tensor | None, count: int) -> Tensor:
        """See `BeamKernels`."""
        beams, vocabulary = logits.shape
        out = torch.empty(2, beams, count, device=logits.device)
        with torch.cuda.device_of(logits):
            rank_kernel[(beams,)](
                logits.contiguous(), is_end, out, vocabulary, count, beams, triton.next_power_of_2(vocabulary), num_warps=16
            )
        return out

    def move(self, state: BeamState, shard: LayerShard, slots: Tensor, moves: Tensor, at: int) -> None:
        """See `BeamKernels`."""
        beams, width, size = len(slots), state.tables.shape[1], shard.keys[0, 0].numel()
        copies = (len(moves) - 3 * beams) // 2
        with torch.cuda.device_of(moves):
            move_kernel[(1 + copies * triton.cdiv(size, PART), len(shard.keys))](
                state.tables, state.last, slots, moves, shard.keys, shard.values, at, beams, copies, state.tables.stride(0), width,
                shard.keys.stride(0), triton.next_power_of_2(beams), triton.next_power_of_2(width), size, PART, num_warps=4,
            )  # fmt: skip
