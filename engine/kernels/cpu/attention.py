"""Attention in a CPU's decode step: one new token a row, over the cache blocks that hold its row's keys and values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils

from engine.kernels.cpu.jit import instruction, kernel
from engine.kernels.cpu.layout import Floats
from engine.kernels.cpu.shapes import HALF_TILE, LARGEST_HEAD, SPAN
from engine.kernels.cpu.vectors import (
    FLOATS,
    INT64,
    Value,
    add_up,
    every,
    exponential,
    in_every_place,
    load,
    load_bf16,
    multiply_add,
    offset,
    spread,
    store,
    store_bf16,
)

LOWEST = np.float32(-1e30)  # of what counts as a score
Ints = npt.NDArray[np.int32]
Bits = npt.NDArray[np.uint16]


class Pool(NamedTuple):
    """The cached keys and values of all layers, as the bits of bf16. Keys are stored rotated by their positions (RoPE)."""

    keys: Bits  # [layers, blocks, slots, kv_heads, head_dim]
    values: Bits


class RowState(NamedTuple):
    """What a step needs to know of its rows (a row is an answer or beam that is being written)."""

    tables: Ints  # [rows, most blocks]: numbers of each row's blocks
    lengths: Ints  # [rows]: cached tokens, which is the new token's place
    lora_scale: Floats  # [rows, adapters]: what each LoRA adapter's output is multiplied by, 0 = off
    rotation: Floats  # [rows, 2, head_dim / 2]: cosines and sines of the new token's position


class HeadNorms(NamedTuple):
    """RMSNorms of single heads, before they are rotated; [layers, 0] where the model has none."""

    query: Floats  # [layers, head_dim]
    key: Floats  # [layers, head_dim]
    eps: float


class PartialSoftmax(NamedTuple):
    """Softmaxes over one span of a row's tokens each, so that several threads can work on a long row; `combine` joins them."""

    mixed: Floats  # [rows, spans, heads, head_dim]: Σ weight · value
    peak: Floats  # [rows, spans, heads]: the largest scaled score, which has weight 1
    total: Floats  # [rows, spans, heads]: Σ weight


def emit_scores(builder: ir.IRBuilder, vectors: int, arguments: list[Value]) -> None:
    query, keys, stride, count, out = arguments
    queries = [load(builder, offset(builder, query, HALF_TILE * index, 4), FLOATS) for index in range(vectors)]
    with cgutils.for_range(builder, count, intp=INT64) as loop:
        start = offset(builder, keys, builder.mul(stride, loop.index), 2)
        products = [
            builder.fmul(part, load_bf16(builder, offset(builder, start, HALF_TILE * index, 2)), flags=("fast",))
            for index, part in enumerate(queries)
        ]
        total = products[0]
        for product in products[1:]:
            total = builder.fadd(total, product, flags=("fast",))
        store(builder, add_up(builder, total), offset(builder, out, loop.index, 4))


def emit_weighted(builder: ir.IRBuilder, vectors: int, arguments: list[Value]) -> None:
    weights, values, stride, count, out = arguments
    places = [offset(builder, out, HALF_TILE * index, 4) for index in range(vectors)]
    sums = [cgutils.alloca_once(builder, FLOATS) for _ in places]
    for total, place in zip(sums, places, strict=True):
        builder.store(load(builder, place, FLOATS), total)
    with cgutils.for_range(builder, count, intp=INT64) as loop:
        start = offset(builder, values, builder.mul(stride, loop.index), 2)
        weight = spread(builder, offset(builder, weights, loop.index, 4))
        for index, total in enumerate(sums):
            value = load_bf16(builder, offset(builder, start, HALF_TILE * index, 2))
            builder.store(multiply_add(builder, weight, value, builder.load(total)), total)
    for total, place in zip(sums, places, strict=True):
        store(builder, builder.load(total), place)


def emit_rounded(builder: ir.IRBuilder, vectors: int, arguments: list[Value]) -> None:
    source, target = arguments
    for index in range(vectors):
        value = load(builder, offset(builder, source, HALF_TILE * index, 4), FLOATS)
        store_bf16(builder, value, offset(builder, target, HALF_TILE * index, 2))


def by_size(emit: Callable[[ir.IRBuilder, int, list[Value]], None]) -> Callable[..., Value]:
    """Generates a version for every head_dim, so that a head stays in registers, and a switch between them."""

    def generate(context: Any, builder: ir.IRBuilder, _: Any, values: list[Value]) -> Value:
        size, *arguments = values
        for vectors in range(1, LARGEST_HEAD // HALF_TILE + 1):
            with builder.if_then(builder.icmp_unsigned("==", size, ir.Constant(INT64, HALF_TILE * vectors))):
                emit(builder, vectors, arguments)
        return context.get_dummy_value()

    return generate


@instruction
def score_tokens(_: Any, size: Any, query: Any, keys: Any, stride: Any, count: Any, out: Any) -> Any:
    """out[i] = query · keys[i] for `count` bf16 keys [size], `stride` numbers apart. `query`, `keys` and `out` are addresses."""
    return types.void(*[types.int64] * 6), by_size(emit_scores)


@instruction
def add_weighted(_: Any, size: Any, weights: Any, values: Any, stride: Any, count: Any, out: Any) -> Any:
    """out += Σ weights[i] · values[i] for `count` bf16 values [size], `stride` numbers apart. All but the sizes are addresses."""
    return types.void(*[types.int64] * 6), by_size(emit_weighted)


@instruction
def round_to_bf16(_: Any, size: Any, source: Any, target: Any) -> Any:
    """Rounds `size` floats at address `source` to bf16 at address `target`."""
    return types.void(*[types.int64] * 3), by_size(emit_rounded)


@instruction
def exponentiate(_: Any, count: Any, scores: Any, peak: Any, scale: Any) -> Any:
    """Replaces `count` floats at address `scores` (whole vectors, none above `peak`) by exp(scale · (score - peak)); returns their sum."""

    def generate(context: Any, builder: ir.IRBuilder, __: Any, values: list[Value]) -> Value:
        count, scores, peak, scale = values
        peaks, scales = (in_every_place(builder, value, FLOATS) for value in (peak, scale))
        total = cgutils.alloca_once(builder, FLOATS)
        builder.store(every(0.0, FLOATS), total)
        with cgutils.for_range(builder, builder.udiv(count, ir.Constant(INT64, HALF_TILE)), intp=INT64) as loop:
            place = offset(builder, scores, loop.index, 4 * HALF_TILE)
            weights = exponential(builder, builder.fmul(builder.fsub(load(builder, place, FLOATS), peaks), scales))
            store(builder, weights, place)
            builder.store(builder.fadd(builder.load(total), weights), total)
        return add_up(builder, builder.load(total))

    return types.float32(types.int64, types.int64, types.float32, types.float32), generate


@kernel
def rotate(x: Floats, rotation: Floats, out: Floats) -> None:
    """Rotates the pairs (x_i, x_{i + half}) of `x` [head_dim] by a position's angles; `rotation` [2, half]: their cosines and sines."""
    half = x.shape[0] // 2
    for i in range(half):
        left, right = x[i], x[i + half]
        out[i] = left * rotation[0, i] - right * rotation[1, i]
        out[i + half] = right * rotation[0, i] + left * rotation[1, i]


@kernel
def place_head(x: Floats, gain: Floats, eps: float, rotation: Floats, out: Floats) -> None:
    """Norms `x` [head_dim] where there is a `gain`, and rotates it."""
    if gain.shape[0] == 0:
        rotate(x, rotation, out)
        return
    squares = np.float32(0)
    for i in range(x.shape[0]):
        squares += x[i] * x[i]
    factor = np.float32(1 / math.sqrt(squares / x.shape[0] + eps))
    for i in range(x.shape[0]):
        out[i] = x[i] * factor * gain[i]
    rotate(out, rotation, out)


@kernel
def keep(qkv: Floats, layer: int, row: int, pool: Pool, rows: RowState, norms: HeadNorms) -> None:
    """Writes the new token's rotated keys and its values into the cache, at the end of its row."""
    slots, kv_heads, size = pool.keys.shape[2:]
    place = rows.lengths[row]
    block, slot = rows.tables[row, place // slots], place % slots
    keys = qkv.shape[0] - 2 * kv_heads * size
    values, rotated = keys + kv_heads * size, np.empty(size, np.float32)
    for head in range(kv_heads):
        place_head(qkv[keys + head * size : keys + (head + 1) * size], norms.key[layer], norms.eps, rows.rotation[row], rotated)
        round_to_bf16(size, rotated.ctypes.data, pool.keys[layer, block, slot, head].ctypes.data)
        round_to_bf16(size, qkv[values + head * size :].ctypes.data, pool.values[layer, block, slot, head].ctypes.data)


@kernel
def attend(qkv: Floats, span: int, layer: int, row: int, pool: Pool, rows: RowState, norms: HeadNorms, partials: PartialSoftmax) -> None:
    """Attention of all heads of one row over one span of its tokens; the last span has the new token. Fills `partials[row, span]`."""
    slots, kv_heads, size = pool.keys.shape[2:]
    heads, stride = partials.peak.shape[2], kv_heads * size
    first, end = span * SPAN, min(rows.lengths[row] + 1, (span + 1) * SPAN)
    if end == rows.lengths[row] + 1:
        keep(qkv, layer, row, pool, rows, norms)
    query, weights = np.empty(size, np.float32), np.empty(SPAN, np.float32)
    for head in range(heads):
        kv_head = head // (heads // kv_heads)
        place_head(qkv[head * size : (head + 1) * size], norms.query[layer], norms.eps, rows.rotation[row], query)
        for start in range(first, end, slots):
            keys = pool.keys[layer, rows.tables[row, start // slots], 0, kv_head].ctypes.data
            score_tokens(size, query.ctypes.data, keys, stride, min(slots, end - start), weights[start - first :].ctypes.data)
        peak, total = exponentials(weights, end - first, np.float32(1 / math.sqrt(size)))
        partials.peak[row, span, head], partials.total[row, span, head] = peak, total
        mixed = partials.mixed[row, span, head]
        for i in range(size):
            mixed[i] = 0
        for start in range(first, end, slots):
            values = pool.values[layer, rows.tables[row, start // slots], 0, kv_head].ctypes.data
            add_weighted(size, weights[start - first :].ctypes.data, values, stride, min(slots, end - start), mixed.ctypes.data)


@kernel
def exponentials(scores: Floats, count: int, scale: np.float32) -> tuple[np.float32, np.float32]:
    """Replaces the first `count` of SPAN scores by exp(scale · (score - peak)); returns scale · peak and their sum."""
    peak, whole = scores[0], (count + HALF_TILE - 1) // HALF_TILE * HALF_TILE
    for i in range(count):
        peak = max(peak, scores[i])
    for i in range(count, whole):
        scores[i] = LOWEST  # nothing of the sum
    return peak * scale, exponentiate(whole, scores.ctypes.data, peak, scale)


@kernel
def spans(length: int) -> int:
    """How many spans a row with `length` cached tokens and a new one is cut into."""
    return length // SPAN + 1


@kernel
def combine(partials: PartialSoftmax, row: int, count: int, out: Floats) -> None:
    """Joins a row's softmaxes over `count` spans into `out` [heads · head_dim]."""
    heads, size = partials.mixed.shape[2:]
    for head in range(heads):
        peak, total = partials.peak[row, 0, head], np.float32(0)
        for span in range(count):
            peak = max(peak, partials.peak[row, span, head])
        for i in range(size):
            out[head * size + i] = 0
        for span in range(count):
            factor = math.exp(partials.peak[row, span, head] - peak)
            total += factor * partials.total[row, span, head]
            for i in range(size):
                out[head * size + i] += factor * partials.mixed[row, span, head, i]
        for i in range(size):
            out[head * size + i] /= total
