"""The few vector operations that the products are made of, as LLVM spells them: it fits them to any processor."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from llvmlite import ir
from numba.core import cgutils

from engine.kernels.cpu.shapes import HALF_TILE

FLOAT, INT32, INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
FLOATS = ir.VectorType(FLOAT, HALF_TILE)
HALVES = ir.VectorType(ir.HalfType(), HALF_TILE)
INTS = ir.VectorType(INT32, HALF_TILE)
SHORTS = ir.VectorType(ir.IntType(16), HALF_TILE)
BYTES = ir.VectorType(ir.IntType(8), HALF_TILE)
SERIES = tuple(math.log(2) ** power / math.factorial(power) for power in range(7))  # of 2^f
Value: TypeAlias = Any  # llvmlite brings no types


def every(number: float, kind: ir.VectorType) -> Value:
    """A vector with the same constant in every place."""
    return ir.Constant(kind, [number] * HALF_TILE)


def offset(builder: ir.IRBuilder, address: Value, count: Value | int, size: int) -> Value:
    """`address` moved by `count` things of `size` bytes."""
    count = ir.Constant(INT64, count) if isinstance(count, int) else count
    return builder.add(address, builder.mul(count, ir.Constant(INT64, size)))


def load(builder: ir.IRBuilder, address: Value, kind: ir.Type) -> Value:
    """Loads a `kind` from an address of any alignment."""
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 1
    return value


def load_bf16(builder: ir.IRBuilder, address: Value) -> Value:
    """Loads bf16 as floats: bf16 is a float's upper half."""
    bits = builder.zext(load(builder, address, SHORTS), INTS)
    return builder.bitcast(builder.shl(bits, every(16, INTS)), FLOATS)


def store_bf16(builder: ir.IRBuilder, value: Value, address: Value) -> None:
    """Stores floats as bf16, rounded to the nearest, ties to even."""
    bits = builder.bitcast(value, INTS)
    odd = builder.and_(builder.lshr(bits, every(16, INTS)), every(1, INTS))
    rounded = builder.add(bits, builder.add(odd, every(0x7FFF, INTS)))
    store(builder, builder.trunc(builder.lshr(rounded, every(16, INTS)), SHORTS), address)


def store(builder: ir.IRBuilder, value: Value, address: Value) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def spread(builder: ir.IRBuilder, address: Value) -> Value:
    """A vector with the float at `address` in every place."""
    return in_every_place(builder, load(builder, address, FLOAT), FLOATS)


def spread_int(builder: ir.IRBuilder, value: Value) -> Value:
    """A vector with the 32-bit `value` in every place."""
    return in_every_place(builder, value, INTS)


def in_every_place(builder: ir.IRBuilder, value: Value, kind: ir.VectorType) -> Value:
    empty = ir.Constant(kind, ir.Undefined)
    single = builder.insert_element(empty, value, ir.Constant(INT32, 0))
    return builder.shuffle_vector(single, empty, every(0, INTS))


def multiply_add(builder: ir.IRBuilder, a: Value, b: Value, c: Value) -> Value:
    """a · b + c, in one instruction where there is one."""
    return builder.fadd(builder.fmul(a, b, flags=("fast",)), c, flags=("fast",))


def fused(builder: ir.IRBuilder, a: Value, b: Value, c: Value) -> Value:
    """a · b + c, always in this order: what a row gets does not hang on how many others are computed beside it."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fmuladd.v{HALF_TILE}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def by_place(builder: ir.IRBuilder, name: str, value: Value) -> Value:
    """LLVM's function `name` of each float."""
    kind = ir.FunctionType(FLOATS, [FLOATS])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{HALF_TILE}f32"), [value])


def exponential(builder: ir.IRBuilder, x: Value) -> Value:
    """e^x of each float x ≤ 0, to some 2e-7 of it where x is small; never below 2^-126. A power of two in the exponent's bits, times 2^f by
    its Taylor series, |f| ≤ 1/2."""
    power = builder.fmul(x, every(1 / math.log(2), FLOATS))
    least = every(-126.0, FLOATS)
    power = builder.select(builder.fcmp_ordered(">", power, least), power, least)
    whole = by_place(builder, "rint", power)
    rest, total = builder.fsub(power, whole), every(SERIES[-1], FLOATS)
    for coefficient in SERIES[-2::-1]:
        total = fused(builder, total, rest, every(coefficient, FLOATS))
    bits = builder.shl(builder.add(builder.fptosi(whole, INTS), every(127, INTS)), every(23, INTS))
    return builder.fmul(total, builder.bitcast(bits, FLOATS))


def reduced(builder: ir.IRBuilder, name: str, value: Value) -> Value:
    """All places of a vector made one number by LLVM's reduction `name`."""
    kind = value.type
    suffix = "f32" if kind.element == FLOAT else "i32"
    function = ir.FunctionType(kind.element, [kind])
    reduction = cgutils.get_or_insert_function(builder.module, function, f"llvm.vector.reduce.{name}.v{HALF_TILE}{suffix}")
    return builder.call(reduction, [value])


def add_up(builder: ir.IRBuilder, value: Value) -> Value:
    """The sum of a vector's places."""
    kind = ir.FunctionType(FLOAT, [FLOAT, FLOATS])
    reduce = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{HALF_TILE}f32")
    return builder.call(reduce, [ir.Constant(FLOAT, 0.0), value], fastmath=("fast",))
