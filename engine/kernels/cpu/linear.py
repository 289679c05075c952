"""Products of up to eight rows with one tile of a packed matrix: the loops in which a decode step spends nearly all its time.

A tile is 32 outputs. Inputs are rounded to signed bytes, 32 neighbours by a scale of their own, so that four products and their sum are
one instruction where the processor has it (`engine.kernels.cpu.dot`). Reading the codes from memory is the bound for one row; for
several, unpacking is shared. A row's result is the same to the last bit alone and among others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from engine.kernels.cpu.dot import CODES, Dot, constant, fastest
from engine.kernels.cpu.jit import instruction
from engine.kernels.cpu.shapes import CHUNK, HALF_TILE, MOST_ROWS, QUAD
from engine.kernels.cpu.vectors import (
    BYTES,
    FLOAT,
    FLOATS,
    HALVES,
    INT64,
    INTS,
    Value,
    by_place,
    every,
    exponential,
    fused,
    in_every_place,
    load,
    offset,
    reduced,
    spread,
    store,
)
from engine.layers.int4_cpu import GROUP

LARGEST = 127.0  # of a rounded input
TINY = 1e-30  # inputs all smaller than this count as 0
BYTES_4BIT = GROUP * HALF_TILE + 2 * 2 * 2 * HALF_TILE  # of a tile's group: codes, then steps and least weights in half precision
BYTES_8BIT = GROUP * 2 * HALF_TILE


def nibbles(builder: ir.IRBuilder, codes: Value) -> list[Value]:
    """A group's quads of 16 outputs: a byte holds input i of a quad in its low bits and input i of the next in its high ones."""
    quads = []
    for index in range(GROUP // QUAD // 2):
        pairs = load(builder, offset(builder, codes, index, 2 * CHUNK), CODES)
        quads += [builder.and_(pairs, constant(15, CODES)), builder.lshr(pairs, constant(4, CODES))]
    return quads


def whole_bytes(builder: ir.IRBuilder, codes: Value) -> list[Value]:
    return [load(builder, offset(builder, codes, index, 2 * CHUNK), CODES) for index in range(GROUP // QUAD)]


def emit_group_4bit(builder: ir.IRBuilder, dot: Dot, group: Value, rows: list[GroupInput], totals: list[Value]) -> None:
    """Adds a group's Σ input · weight to `totals`, where weight = step · code + least."""
    for half in range(2):
        quads = nibbles(builder, offset(builder, group, half, CHUNK))
        scales = offset(builder, group, GROUP * HALF_TILE + 2 * HALF_TILE * half, 1)
        step, least = (
            builder.fpext(load(builder, offset(builder, scales, 4 * HALF_TILE * place, 1), HALVES), FLOATS) for place in range(2)
        )
        for row, total in zip(rows, totals[half::2], strict=True):
            product = builder.sitofp(dot(builder, quads, row.codes, row.sum, False), FLOATS)
            with_step = fused(builder, step, builder.fmul(product, spread(builder, row.scale)), builder.load(total))
            builder.store(fused(builder, least, spread(builder, row.scaled_sum), with_step), total)


def emit_group_8bit(builder: ir.IRBuilder, dot: Dot, group: Value, rows: list[GroupInput], totals: list[Value]) -> None:
    """Adds a group's Σ input · code to `totals`; an output's scale comes at the end."""
    for half in range(2):
        quads = whole_bytes(builder, offset(builder, group, half, CHUNK))
        for row, total in zip(rows, totals[half::2], strict=True):
            product = builder.sitofp(dot(builder, quads, row.codes, row.sum, True), FLOATS)
            builder.store(fused(builder, product, spread(builder, row.scale), builder.load(total)), total)


class GroupInput:
    """Addresses of what is known of one row's inputs in one group."""

    def __init__(self, builder: ir.IRBuilder, inputs: list[Value], group: Value) -> None:
        self.codes, self.scale, self.sum, self.scaled_sum = (
            offset(builder, address, group, size) for address, size in zip(inputs, (GROUP, 4, 4, 4), strict=True)
        )


def emit(builder: ir.IRBuilder, rows: int, size: int, dot: Dot, arguments: list[Value]) -> None:
    """The whole product for a known number of rows: a loop over groups, whose totals stay in registers."""
    tile, *inputs, groups, out = arguments
    totals = [cgutils.alloca_once(builder, FLOATS) for _ in range(2 * rows)]
    for total in totals:
        builder.store(every(0.0, FLOATS), total)
    with cgutils.for_range(builder, groups, intp=INT64) as loop:
        starts = [builder.add(loop.index, builder.mul(groups, ir.Constant(INT64, row))) for row in range(rows)]
        of_rows = [GroupInput(builder, inputs, start) for start in starts]
        add_group = emit_group_4bit if size == BYTES_4BIT else emit_group_8bit
        add_group(builder, dot, offset(builder, tile, loop.index, size), of_rows, totals)
    for index, total in enumerate(totals):
        store(builder, builder.load(total), offset(builder, out, index, HALF_TILE * 4))


def choose(size: int, dot: Dot | None = None) -> Callable[..., None]:
    """Generates a version for every number of rows, and a switch between them."""

    def generate(context: Any, builder: ir.IRBuilder, _: Any, values: list[Value]) -> Value:
        rows, *arguments = values
        for count in range(1, MOST_ROWS + 1):
            with builder.if_then(builder.icmp_unsigned("==", rows, ir.Constant(INT64, count))):
                emit(builder, count, size, dot or fastest(), arguments)
        return context.get_dummy_value()

    return generate


@instruction
def emit_4bit(_: Any, rows: Any, tile: Any, codes: Any, scales: Any, sums: Any, scaled_sums: Any, groups: Any, out: Any) -> Any:
    """`out` [rows, TILE] = rounded inputs · one tile of a `Projection`. All but `rows` and `groups` are addresses."""
    return types.void(*[types.int64] * 8), choose(BYTES_4BIT)


@instruction
def emit_8bit(_: Any, rows: Any, tile: Any, codes: Any, scales: Any, sums: Any, scaled_sums: Any, groups: Any, out: Any) -> Any:
    """`out` [rows, TILE] = rounded inputs · one tile of a `Head`, not scaled yet."""
    return types.void(*[types.int64] * 8), choose(BYTES_8BIT)


@instruction
def round_inputs(_: Any, groups: Any, x: Any, codes: Any, scales: Any, sums: Any, scaled_sums: Any) -> Any:
    """Rounds groups of floats at address `x`: each becomes `scales` · `codes`; also Σ codes, and scale · Σ codes."""
    return types.void(*[types.int64] * 6), generate_rounded


def generate_rounded(context: Any, builder: ir.IRBuilder, _: Any, values: list[Value]) -> Value:
    groups, x, codes, scales, sums, scaled_sums = values
    with cgutils.for_range(builder, groups, intp=INT64) as loop:
        starts = [builder.add(builder.mul(loop.index, ir.Constant(INT64, GROUP)), ir.Constant(INT64, half)) for half in (0, HALF_TILE)]
        parts = [load(builder, offset(builder, x, start, 4), FLOATS) for start in starts]
        left, right = (by_place(builder, "fabs", part) for part in parts)
        peak = reduced(builder, "fmax", builder.select(builder.fcmp_ordered(">", left, right), left, right))
        there = builder.fcmp_ordered(">", peak, ir.Constant(FLOAT, TINY))
        inverse = builder.select(there, builder.fdiv(ir.Constant(FLOAT, LARGEST), peak), ir.Constant(FLOAT, 0.0))
        factor = in_every_place(builder, inverse, FLOATS)
        rounded = [builder.fptosi(by_place(builder, "rint", builder.fmul(part, factor)), INTS) for part in parts]
        for start, part in zip(starts, rounded, strict=True):
            store(builder, builder.trunc(part, BYTES), offset(builder, codes, start, 1))
        total = reduced(builder, "add", builder.add(*rounded))
        scale = builder.fmul(peak, ir.Constant(FLOAT, 1 / LARGEST))
        store(builder, scale, offset(builder, scales, loop.index, 4))
        store(builder, total, offset(builder, sums, loop.index, 4))
        store(builder, builder.fmul(scale, builder.sitofp(total, FLOAT)), offset(builder, scaled_sums, loop.index, 4))
    return context.get_dummy_value()


@instruction
def activate(_: Any, x: Any, out: Any) -> Any:
    """`out` [TILE] = silu(x) = x · sigmoid(x) of a tile of outputs, by an exponential that can't overflow; addresses."""

    def generate(context: Any, builder: ir.IRBuilder, __: Any, values: list[Value]) -> Value:
        for half in range(2):
            x, place = (offset(builder, address, half, 4 * HALF_TILE) for address in values)
            inputs, one = load(builder, x, FLOATS), every(1.0, FLOATS)
            small = exponential(builder, builder.fneg(by_place(builder, "fabs", inputs)))
            share = builder.select(builder.fcmp_ordered(">", inputs, every(0.0, FLOATS)), one, small)
            store(builder, builder.fdiv(builder.fmul(inputs, share), builder.fadd(one, small)), place)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 2), generate
