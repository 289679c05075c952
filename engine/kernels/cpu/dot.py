"""Products of small integers, by the instruction that this processor has for them.

A vector of 64 codes holds four inputs' weights (a quad) of 16 outputs: output i has bytes 4i to 4i + 3. The four inputs themselves lie
side by side in memory, as signed bytes. All ways give the same integers, so what a processor has changes no result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import binding, ir
from numba.core import cgutils, config

from engine.kernels.cpu.shapes import CHUNK, QUAD
from engine.kernels.cpu.vectors import INT32, INTS, Value, every, load, offset, spread_int

CODES = ir.VectorType(ir.IntType(8), CHUNK)
PAIRS = ir.VectorType(ir.IntType(16), CHUNK // 2)
YMM = 32  # bytes of AVX2's registers
YMM_BYTES, YMM_PAIRS, YMM_INTS = (ir.VectorType(ir.IntType(8 * size), YMM // size) for size in (1, 2, 4))
SIGN = 128  # a signed code is stored with this added

Dot = Callable[[ir.IRBuilder, Sequence[Value], Value, Value, bool], Value]
"""(builder, codes, inputs, input_sum, signed) → for 16 outputs Σ code · input: `codes` are vectors of one quad after the other, `inputs`
the address of as many quads, `input_sum` that of their sum. Codes are 0 … 15, or, `signed`, -127 … 127, stored with SIGN added."""


def constant(number: int, kind: ir.VectorType) -> Value:
    return ir.Constant(kind, [number] * kind.count)


def by_vnni(builder: ir.IRBuilder, codes: Sequence[Value], inputs: Value, input_sum: Value, signed: bool) -> Value:
    """AVX-512 VNNI: a quad of each output in one instruction, unsigned codes times signed inputs."""
    kind = ir.FunctionType(INTS, [INTS, CODES, CODES])
    multiply = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpbusd.512")
    total = every(0, INTS)
    if signed:
        total = builder.mul(spread_int(builder, load(builder, input_sum, INT32)), every(-SIGN, INTS))
    for index, quad in enumerate(codes):
        x = spread_int(builder, load(builder, offset(builder, inputs, index, QUAD), INT32))
        total = builder.call(multiply, [total, quad, builder.bitcast(x, CODES)])
    return total


def by_avx2(builder: ir.IRBuilder, codes: Sequence[Value], inputs: Value, input_sum: Value, signed: bool) -> Value:
    """AVX2, eight outputs an instruction: small codes in bytes, whose sums over a group fit into 16 bits (32 / 2 · 15 · 127 < 2^15);
    signed ones in 16 bits, even and odd bytes apart."""
    add_up = avx2_signed if signed else avx2_small
    words = [spread_int(builder, load(builder, offset(builder, inputs, index, QUAD), INT32)) for index in range(len(codes))]
    x = [part(builder, builder.bitcast(word, CODES), 0, YMM) for word in words]
    halves = [add_up(builder, [part(builder, quad, first, YMM) for quad in codes], x) for first in (0, YMM)]
    total = joined(builder, *halves)
    if not signed:
        return total
    shift = builder.mul(spread_int(builder, load(builder, input_sum, INT32)), every(-SIGN, INTS))
    return builder.add(total, shift)


def avx2_small(builder: ir.IRBuilder, codes: Sequence[Value], inputs: Sequence[Value]) -> Value:
    kind = ir.FunctionType(YMM_PAIRS, [YMM_BYTES, YMM_BYTES])
    multiply = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pmadd.ub.sw")
    words = constant(0, YMM_PAIRS)
    for quad, x in zip(codes, inputs, strict=True):
        words = builder.add(words, builder.call(multiply, [quad, x]))
    return add_pairs(builder, words, constant(1, YMM_PAIRS))


def avx2_signed(builder: ir.IRBuilder, codes: Sequence[Value], inputs: Sequence[Value]) -> Value:
    total, eight = constant(0, YMM_INTS), constant(8, YMM_PAIRS)
    for quad, x in zip(codes, inputs, strict=True):
        pairs, x_pairs = builder.bitcast(quad, YMM_PAIRS), builder.bitcast(x, YMM_PAIRS)
        even = add_pairs(builder, builder.and_(pairs, constant(255, YMM_PAIRS)), builder.ashr(builder.shl(x_pairs, eight), eight))
        odd = add_pairs(builder, builder.lshr(pairs, eight), builder.ashr(x_pairs, eight))
        total = builder.add(total, builder.add(even, odd))
    return total


def add_pairs(builder: ir.IRBuilder, a: Value, b: Value) -> Value:
    """a · b of 16 bits each, two neighbours added up in 32."""
    kind = ir.FunctionType(YMM_INTS, [YMM_PAIRS, YMM_PAIRS])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pmadd.wd"), [a, b])


def by_sdot(builder: ir.IRBuilder, codes: Sequence[Value], inputs: Value, input_sum: Value, signed: bool) -> Value:
    """NEON's dot product, four outputs an instruction; both sides signed."""
    quarter, bytes_ = ir.VectorType(INT32, 4), ir.VectorType(ir.IntType(8), 16)
    kind = ir.FunctionType(quarter, [quarter, bytes_, bytes_])
    multiply = cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.neon.sdot.v4i32.v16i8")
    totals: list[Value] = [constant(0, quarter)] * 4
    for index, quad in enumerate(codes):
        x = spread_int(builder, load(builder, offset(builder, inputs, index, QUAD), INT32))
        x = part(builder, builder.bitcast(x, CODES), 0, 16)
        quad = builder.xor(quad, constant(-SIGN, CODES)) if signed else quad
        totals = [builder.call(multiply, [total, part(builder, quad, 16 * place, 16), x]) for place, total in enumerate(totals)]
    halves = [joined(builder, *totals[:2]), joined(builder, *totals[2:])]
    return joined(builder, *halves)


def by_words(builder: ir.IRBuilder, codes: Sequence[Value], inputs: Value, input_sum: Value, signed: bool) -> Value:
    """In 16 bits, which every vector unit multiplies: even and odd bytes apart. A group of small codes adds up without overflow
    (32 / 2 · 15 · 127 < 2^15), of larger ones a single quad."""
    total, words = every(0, INTS), constant(0, PAIRS)
    for index, quad in enumerate(codes):
        x = builder.bitcast(spread_int(builder, load(builder, offset(builder, inputs, index, QUAD), INT32)), PAIRS)
        pairs = builder.bitcast(quad, PAIRS)
        even, odd = builder.and_(pairs, constant(255, PAIRS)), builder.lshr(pairs, constant(8, PAIRS))
        if signed:
            even, odd = (builder.sub(each, constant(SIGN, PAIRS)) for each in (even, odd))
        x_even = builder.ashr(builder.shl(x, constant(8, PAIRS)), constant(8, PAIRS))
        x_odd = builder.ashr(x, constant(8, PAIRS))
        words = builder.add(words, builder.add(builder.mul(even, x_even), builder.mul(odd, x_odd)))
        if signed or index == len(codes) - 1:
            wide = builder.bitcast(words, INTS)
            low = builder.ashr(builder.shl(wide, every(16, INTS)), every(16, INTS))
            total = builder.add(total, builder.add(low, builder.ashr(wide, every(16, INTS))))
            words = constant(0, PAIRS)
    return total


def part(builder: ir.IRBuilder, vector: Value, first: int, count: int) -> Value:
    places = ir.Constant(ir.VectorType(INT32, count), list(range(first, first + count)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), places)


def joined(builder: ir.IRBuilder, left: Value, right: Value) -> Value:
    count = 2 * left.type.count
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(INT32, count), list(range(count))))


def features() -> set[str]:
    """Of the processor that numba compiles for: this one, unless NUMBA_CPU_FEATURES says otherwise."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, there in binding.get_host_cpu_features().items() if there}


def fastest() -> Dot:
    """The best way that this processor has."""
    there = features()
    if {"avx512vnni", "avx512bw"} <= there:
        return by_vnni
    if "avx2" in there:
        return by_avx2
    return by_sdot if "dotprod" in there else by_words
