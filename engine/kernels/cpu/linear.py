"""Products of up to eight rows with one tile of a packed matrix: the loops in which a decode step spends nearly all its time.

A tile is 32 outputs. Its codes lie input by input, so that a vector holds one input's weights for 16 outputs and every
output adds up in a place of its own. Reading them from memory is the bound for one row; for several, unpacking is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from engine.kernels.cpu.jit import instruction
from engine.kernels.cpu.shapes import HALF_TILE, MOST_ROWS, TILE
from engine.kernels.cpu.vectors import (
    BYTES,
    FLOATS,
    HALVES,
    INT64,
    INTS,
    Value,
    every,
    load,
    multiply_add,
    offset,
    spread,
    store,
)
from engine.layers.int4_cpu import GROUP

Unpack = Callable[[ir.IRBuilder, Value, int], tuple[Value, Value]]


def nibbles(builder: ir.IRBuilder, codes: Value, index: int) -> tuple[Value, Value]:
    """Codes of one input of a group as two vectors: 16 bytes hold output i in the low four bits, output i + 16 in the high four."""
    pairs = builder.zext(load(builder, offset(builder, codes, index, HALF_TILE), BYTES), INTS)
    low, high = builder.and_(pairs, every(15, INTS)), builder.lshr(pairs, every(4, INTS))
    return builder.sitofp(low, FLOATS), builder.sitofp(high, FLOATS)


def signed_bytes(builder: ir.IRBuilder, codes: Value, index: int) -> tuple[Value, Value]:
    """Codes of one input of a group as two vectors: 32 signed bytes, one for each output."""
    halves = (load(builder, offset(builder, codes, TILE * index + HALF_TILE * half, 1), BYTES) for half in range(2))
    low, high = (builder.sitofp(builder.sext(half, INTS), FLOATS) for half in halves)
    return low, high


def group_sums(builder: ir.IRBuilder, codes: Value, inputs: list[Value], unpack: Unpack) -> list[Value]:
    """Σ input · code over a group, for each row and half tile. One row has two sums in turn, so that no addition waits for the last."""
    ways = 2 if len(inputs) == 1 else 1
    sums = [[every(0.0, FLOATS)] * ways for _ in range(2 * len(inputs))]
    for index in range(GROUP):
        weights = unpack(builder, codes, index)
        for row, address in enumerate(inputs):
            x = spread(builder, offset(builder, address, index, 4))
            for half in range(2):
                of_half = sums[2 * row + half]
                of_half[index % ways] = multiply_add(builder, x, weights[half], of_half[index % ways])
    return [parts[0] if ways == 1 else builder.fadd(*parts, flags=("fast",)) for parts in sums]


def scaled(builder: ir.IRBuilder, sums: list[Value], scales: Value, input_sums: list[Value]) -> list[Value]:
    """Σ input · weight of a group, where weight = step · code + least, from Σ input · code and Σ input."""
    values = [builder.fpext(load(builder, offset(builder, scales, HALF_TILE * part, 2), HALVES), FLOATS) for part in range(4)]
    steps, least = values[:2], values[2:]
    of_rows = [spread(builder, address) for address in input_sums]
    return [
        multiply_add(builder, total, steps[index % 2], builder.fmul(of_rows[index // 2], least[index % 2], flags=("fast",)))
        for index, total in enumerate(sums)
    ]


def emit(builder: ir.IRBuilder, rows: int, unpack: Unpack, arguments: list[Value]) -> None:
    """The whole product for a known number of rows: a loop over groups, whose totals stay in registers. 8 bits are scaled later."""
    codes, scales, x, input_sums, groups, out = arguments
    totals = [cgutils.alloca_once(builder, FLOATS) for _ in range(2 * rows)]
    for total in totals:
        builder.store(every(0.0, FLOATS), total)
    with cgutils.for_range(builder, groups, intp=INT64) as loop:
        starts = [builder.add(loop.index, builder.mul(groups, ir.Constant(INT64, row))) for row in range(rows)]
        inputs = [offset(builder, x, start, GROUP * 4) for start in starts]
        if unpack is nibbles:
            sums = group_sums(builder, offset(builder, codes, loop.index, GROUP * HALF_TILE), inputs, unpack)
            addresses = [offset(builder, input_sums, start, 4) for start in starts]
            sums = scaled(builder, sums, offset(builder, scales, loop.index, 2 * TILE * 2), addresses)
        else:
            sums = group_sums(builder, offset(builder, codes, loop.index, GROUP * TILE), inputs, unpack)
        for total, of_group in zip(totals, sums, strict=True):
            builder.store(builder.fadd(builder.load(total), of_group, flags=("fast",)), total)
    for index, total in enumerate(totals):
        store(builder, builder.load(total), offset(builder, out, index, HALF_TILE * 4))


def choose(unpack: Unpack) -> Callable[..., None]:
    """Generates a version for every number of rows, and a switch between them."""

    def generate(context: Any, builder: ir.IRBuilder, _: Any, values: list[Value]) -> Value:
        rows, *arguments = values
        for count in range(1, MOST_ROWS + 1):
            with builder.if_then(builder.icmp_unsigned("==", rows, ir.Constant(INT64, count))):
                emit(builder, count, unpack, arguments)
        return context.get_dummy_value()

    return generate


@instruction
def emit_4bit(_: Any, rows: Any, codes: Any, scales: Any, x: Any, input_sums: Any, groups: Any, out: Any) -> Any:
    """`out` [rows, TILE] = x · one tile of a `Projection`; `input_sums` are those of x's groups. All but counts are addresses."""
    return types.void(*[types.int64] * 7), choose(nibbles)


@instruction
def emit_8bit(_: Any, rows: Any, codes: Any, scales: Any, x: Any, input_sums: Any, groups: Any, out: Any) -> Any:
    """`out` [rows, TILE] = x · one tile of a `Head`, not scaled yet; `scales` and `input_sums` are not read."""
    return types.void(*[types.int64] * 7), choose(signed_bytes)
