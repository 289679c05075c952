"""A decode step for several threads: five stages a layer, each cut into pieces that any thread may take."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.kernels.cpu.attention import HeadNorms, PartialSoftmax, Pool, RowState, attend, combine, spans
from engine.kernels.cpu.jit import kernel
from engine.kernels.cpu.layout import Floats, Head, Projection
from engine.kernels.cpu.linear import activate, emit_4bit, emit_8bit, round_inputs
from engine.kernels.cpu.lora import Adapters, add_scaled, dot_bf16
from engine.kernels.cpu.shapes import MOST_ROWS, TILE
from engine.kernels.cpu.thread_pool import Counters, take, take_another, wait
from engine.layers.int4_cpu import GROUP

STAGES = 5  # a layer
HEAD_TILES = 16  # a piece of the head
BF16, FP32 = 2, 4  # bytes
PIECES = 4  # of a stage that a thread takes: fewer, and one that the system puts aside holds up the others for longer


class Weights(NamedTuple):
    """The weights of all layers."""

    qkv: Projection
    o: Projection
    gate_up: Projection
    down: Projection
    attention_norm: Floats  # [layers, width]
    mlp_norm: Floats  # [layers, width]
    qkv_bias: Floats  # [layers, outputs of qkv]; [layers, 0] where the model has none
    head_norms: HeadNorms
    eps: float


class Activations(NamedTuple):
    """What one stage leaves for the next, [rows, features] each."""

    hidden: Floats
    qkv: Floats
    inner: Floats
    partials: PartialSoftmax  # of attention
    threads: int


class Input(NamedTuple):
    """A thread's own input of a product, and what it derives from it beforehand."""

    x: Floats  # [rows, width]
    codes: npt.NDArray[np.int8]  # [rows, width]: x in units of its group's scale
    scales: Floats  # [rows, width / GROUP]
    sums: npt.NDArray[np.int32]  # [rows, width / GROUP]: of the codes
    scaled_sums: Floats  # [rows, width / GROUP]
    low: Floats  # [rows, rank at least]: lora_scale · lora_a · x
    out: Floats  # [rows, TILE]


@kernel
def new_input(rows: int, width: int, rank: int) -> Input:
    groups = width // GROUP
    return Input(
        np.empty((rows, width), np.float32),
        np.empty((rows, width), np.int8),
        np.empty((rows, groups), np.float32),
        np.empty((rows, groups), np.int32),
        np.empty((rows, groups), np.float32),
        np.zeros((rows, rank), np.float32),
        np.empty((rows, TILE), np.float32),
    )


@kernel
def round_all(prepared: Input) -> None:
    """Fills what `prepared` has of its `x` in whole numbers."""
    round_inputs(
        prepared.scales.size,
        prepared.x.ctypes.data,
        prepared.codes.ctypes.data,
        prepared.scales.ctypes.data,
        prepared.sums.ctypes.data,
        prepared.scaled_sums.ctypes.data,
    )


@kernel
def dot(a: Floats, b: Floats) -> np.float32:
    total = np.float32(0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@kernel
def normalise(x: Floats, weight: Floats, eps: float, out: Floats) -> None:
    """RMSNorm of each row."""
    width = x.shape[1]
    for row in range(x.shape[0]):
        factor = np.float32(1 / math.sqrt(dot(x[row], x[row]) / width + eps))
        for i in range(width):
            out[row, i] = x[row, i] * factor * weight[i]


@kernel
def copy(x: Floats, out: Floats) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i]


@kernel
def add(x: Floats, out: Floats) -> None:
    for i in range(x.shape[0]):
        out[i] += x[i]


@kernel
def prepare(prepared: Input, projection: Projection, layer: int, lora_scale: Floats) -> None:
    """Rounds `x`, and fills `low` from it."""
    round_all(prepared)
    adapters, (rows, width) = projection.adapters, prepared.x.shape
    a = adapters.a[layer].ctypes.data
    for row in range(rows):
        x = prepared.x[row].ctypes.data
        for i in range(adapters.owners.shape[0]):
            scale = adapters.gains[layer] * lora_scale[row, adapters.owners[i]]
            prepared.low[row, i] = scale * dot_bf16(width, x, a + i * width * BF16) if scale != 0 else np.float32(0)


@kernel
def multiply(projection: Projection, layer: int, tile: int, prepared: Input) -> Floats:
    """One tile of the product with a matrix, LoRA included: [rows, TILE], in `prepared.out`."""
    out = prepared.out
    for first in range(0, out.shape[0], MOST_ROWS):
        emit_4bit(
            min(MOST_ROWS, out.shape[0] - first),
            projection.groups[layer, tile].ctypes.data,
            prepared.codes[first:].ctypes.data,
            prepared.scales[first:].ctypes.data,
            prepared.sums[first:].ctypes.data,
            prepared.scaled_sums[first:].ctypes.data,
            prepared.sums.shape[1],
            out[first:].ctypes.data,
        )
    add_adapters(projection.adapters, layer, tile, prepared.low, out)
    return out


@kernel
def add_adapters(adapters: Adapters, layer: int, tile: int, low: Floats, out: Floats) -> None:
    """Adds what LoRA gives a tile [rows, TILE], from its `low` [rows, rank]."""
    if adapters.ranks.shape[1] == 0:
        return
    b, to = adapters.b[layer, tile].ctypes.data, out.ctypes.data  # addresses: a slice for each rank would cost more than its product
    for row in range(out.shape[0]):
        for place in range(adapters.ranks.shape[1]):
            rank = adapters.ranks[tile, place]
            if rank < 0:
                break
            if low[row, rank] != 0:
                add_scaled(low[row, rank], b + place * TILE * BF16, to + row * TILE * FP32)


@kernel
def cut(tiles: int, threads: int) -> tuple[int, int]:
    """How many tiles a piece of a stage has, and how many pieces there are."""
    each = max(1, tiles // (threads * PIECES))
    return each, (tiles + each - 1) // each


@kernel
def project_attention(
    weights: Weights, layer: int, rows: RowState, state: Activations, narrow: Input, counters: Counters, stage: int
) -> None:
    """RMSNorm, then queries, keys and values, biased where the model has that, into `state.qkv`; a piece is some tiles."""
    tiles, prepared = weights.qkv.groups.shape[1], False
    each, pieces = cut(tiles, state.threads)
    piece = take(counters, stage)
    while piece < pieces:
        if not prepared:
            normalise(state.hidden, weights.attention_norm[layer], weights.eps, narrow.x)
            prepare(narrow, weights.qkv, layer, rows.lora_scale)
            prepared = True
        for tile in range(piece * each, min(tiles, (piece + 1) * each)):
            product = multiply(weights.qkv, layer, tile, narrow)
            for row in range(product.shape[0]):
                copy(product[row], state.qkv[row, tile * TILE : (tile + 1) * TILE])
                if weights.qkv_bias.shape[1] > 0:
                    add(weights.qkv_bias[layer, tile * TILE : (tile + 1) * TILE], state.qkv[row, tile * TILE : (tile + 1) * TILE])
        piece = take_another(counters, stage)
    wait(counters, stage, pieces)


@kernel
def mix(weights: Weights, layer: int, pool: Pool, rows: RowState, state: Activations, counters: Counters, stage: int) -> None:
    """Attention into `state.partials`; a piece is a span of one row."""
    most = state.partials.total.shape[1]
    pieces = most * state.qkv.shape[0]
    piece = take(counters, stage)
    while piece < pieces:
        row, span = piece // most, piece % most
        if span < spans(rows.lengths[row]):
            attend(state.qkv[row], span, layer, row, pool, rows, weights.head_norms, state.partials)
        piece = take_another(counters, stage)
    wait(counters, stage, pieces)


@kernel
def close(
    projection: Projection, layer: int, attention: bool, rows: RowState, state: Activations, source: Input, counters: Counters, stage: int
) -> None:
    """hidden += projection · output of attention, or of the MLP's activation: the end of both halves of a block."""
    tiles, prepared = projection.groups.shape[1], False
    each, pieces = cut(tiles, state.threads)
    piece = take(counters, stage)
    while piece < pieces:
        if not prepared:
            for row in range(source.x.shape[0]):
                if attention:
                    combine(state.partials, row, spans(rows.lengths[row]), source.x[row])
                else:
                    copy(state.inner[row], source.x[row])
            prepare(source, projection, layer, rows.lora_scale)
            prepared = True
        for tile in range(piece * each, min(tiles, (piece + 1) * each)):
            add_tile(multiply(projection, layer, tile, source), tile, state.hidden)
        piece = take_another(counters, stage)
    wait(counters, stage, pieces)


@kernel
def add_tile(product: Floats, tile: int, out: Floats) -> None:
    for row in range(product.shape[0]):
        for i in range(TILE):
            out[row, tile * TILE + i] += product[row, i]


@kernel
def open_mlp(weights: Weights, layer: int, rows: RowState, state: Activations, narrow: Input, counters: Counters, stage: int) -> None:
    """RMSNorm, then silu(gate) · up into `state.inner`; a piece is some tiles of both."""
    tiles, prepared = weights.gate_up.groups.shape[1] // 2, False
    each, pieces = cut(tiles, state.threads)
    piece = take(counters, stage)
    while piece < pieces:
        if not prepared:
            normalise(state.hidden, weights.mlp_norm[layer], weights.eps, narrow.x)
            prepare(narrow, weights.gate_up, layer, rows.lora_scale)
            prepared = True
        for tile in range(piece * each, min(tiles, (piece + 1) * each)):
            open_tile(weights.gate_up, layer, tile, narrow, state.inner)
        piece = take_another(counters, stage)
    wait(counters, stage, pieces)


@kernel
def open_tile(gate_up: Projection, layer: int, tile: int, narrow: Input, inner: Floats) -> None:
    opening = multiply(gate_up, layer, tile, narrow)
    for row in range(opening.shape[0]):
        activate(opening[row].ctypes.data, inner[row, tile * TILE :].ctypes.data)
    value = multiply(gate_up, layer, tile + gate_up.groups.shape[1] // 2, narrow)
    for row in range(value.shape[0]):
        for i in range(TILE):
            inner[row, tile * TILE + i] *= value[row, i]


@kernel
def decode(weights: Weights, pool: Pool, rows: RowState, state: Activations, counters: Counters) -> None:
    """Runs all layers over `state.hidden`, in place. Each thread of the pool calls it with the same arguments."""
    count = state.hidden.shape[0]
    narrow = new_input(count, state.hidden.shape[1], max(weights.qkv.adapters.owners.shape[0], weights.gate_up.adapters.owners.shape[0]))
    mixed = new_input(count, weights.o.groups.shape[2] * GROUP, weights.o.adapters.owners.shape[0])
    wide = new_input(count, state.inner.shape[1], weights.down.adapters.owners.shape[0])
    for layer in range(weights.qkv.groups.shape[0]):
        stage = STAGES * layer
        project_attention(weights, layer, rows, state, narrow, counters, stage)
        mix(weights, layer, pool, rows, state, counters, stage + 1)
        close(weights.o, layer, True, rows, state, mixed, counters, stage + 2)
        open_mlp(weights, layer, rows, state, narrow, counters, stage + 3)
        close(weights.down, layer, False, rows, state, wide, counters, stage + 4)


@kernel
def score(head: Head, hidden: Floats, logits: Floats, counters: Counters) -> None:
    """Logits [rows, tiles · TILE] of final hidden states. Each thread of the pool calls it with the same arguments."""
    tiles, rows = head.groups.shape[0], hidden.shape[0]
    prepared = new_input(rows, hidden.shape[1], 0)
    for row in range(rows):
        copy(hidden[row], prepared.x[row])
    round_all(prepared)
    pieces = (tiles + HEAD_TILES - 1) // HEAD_TILES
    piece = take(counters, 0)
    while piece < pieces:
        for tile in range(piece * HEAD_TILES, min(tiles, (piece + 1) * HEAD_TILES)):
            score_tile(head, tile, prepared, logits)
        piece = take_another(counters, 0)
    wait(counters, 0, pieces)


@kernel
def score_tile(head: Head, tile: int, prepared: Input, logits: Floats) -> None:
    out = prepared.out
    for first in range(0, out.shape[0], MOST_ROWS):
        emit_8bit(
            min(MOST_ROWS, out.shape[0] - first),
            head.groups[tile].ctypes.data,
            prepared.codes[first:].ctypes.data,
            prepared.scales[first:].ctypes.data,
            prepared.sums[first:].ctypes.data,
            prepared.scaled_sums[first:].ctypes.data,
            prepared.sums.shape[1],
            out[first:].ctypes.data,
        )
    for row in range(out.shape[0]):
        for i in range(TILE):
            logits[row, tile * TILE + i] = out[row, i] * head.scales[tile, i]
