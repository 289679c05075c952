"""Products of small integers, in every way that runs on this processor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from llvmlite import binding, ir
from numba import njit, types

from engine.kernels.cpu.dot import SIGN, Dot, by_avx2, by_sdot, by_vnni, by_words, fastest, features
from engine.kernels.cpu.jit import instruction
from engine.kernels.cpu.linear import nibbles, whole_bytes
from engine.kernels.cpu.shapes import CHUNK, HALF_TILE, QUAD
from engine.kernels.cpu.vectors import INT64, store
from engine.layers.int4_cpu import GROUP

WAYS = [
    by_words,
    pytest.param(by_avx2, marks=pytest.mark.skipif("avx2" not in features(), reason="no AVX2 here")),
    pytest.param(by_vnni, marks=pytest.mark.skipif(fastest() is not by_vnni, reason="no AVX-512 VNNI here")),
]


@pytest.mark.parametrize("dot", WAYS)
@pytest.mark.parametrize("signed", [False, True])
def test_all_ways_give_the_exact_sums(dot: Dot, signed: bool) -> None:
    @instruction
    def emitted(_: Any, codes: Any, inputs: Any, input_sum: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, __: Any, values: list[Any]) -> Any:
            codes, inputs, input_sum, out = values
            quads = (whole_bytes if signed else nibbles)(builder, codes)
            store(builder, dot(builder, quads, inputs, input_sum, signed), out)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), generate

    compute = njit("void(int64, int64, int64, int64)")(lambda codes, inputs, input_sum, out: emitted(codes, inputs, input_sum, out))
    generator = np.random.default_rng(0)
    for extreme in (False, True):
        low, high = (-127, 127) if signed else (0, 15)
        codes = generator.integers(low, high, (HALF_TILE, GROUP), endpoint=True)
        inputs = generator.integers(-127, 127, GROUP, endpoint=True).astype(np.int8)
        if extreme:
            codes[:], inputs[:] = high, 127
        out, total = np.empty(HALF_TILE, np.int32), inputs.sum(dtype=np.int32).reshape(1)
        stored = laid_out(codes, signed)
        compute(stored.ctypes.data, inputs.ctypes.data, total.ctypes.data, out.ctypes.data)
        np.testing.assert_array_equal(out, codes @ inputs.astype(np.int64))


@pytest.mark.parametrize("signed", [False, True])
def test_arms_instruction_comes_out_for_arm(signed: bool) -> None:
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [INT64] * 4), "dot")
    builder, (codes, inputs, input_sum, out) = ir.IRBuilder(function.append_basic_block()), function.args
    store(builder, by_sdot(builder, (whole_bytes if signed else nibbles)(builder, codes), inputs, input_sum, signed), out)
    builder.ret_void()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple("aarch64-linux-gnu").create_target_machine(features="+neon,+dotprod")
    assert "sdot" in machine.emit_assembly(binding.parse_assembly(str(module)))


def laid_out(codes: np.ndarray[Any, Any], signed: bool) -> np.ndarray[Any, Any]:
    """One half of a tile's group; the other half's places hold what must not be read."""
    quads = codes.reshape(HALF_TILE, GROUP // QUAD, QUAD).transpose(1, 0, 2).astype(np.uint8)
    stored: np.ndarray[Any, Any] = quads ^ SIGN if signed else quads[::2] | quads[1::2] << 4
    out = np.full((len(stored), 2, CHUNK), 99, np.uint8)
    out[:, 0] = stored.reshape(len(stored), CHUNK)
    return out


def test_numbas_own_setting_chooses_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.kernels.cpu.dot.config.CPU_FEATURES", "+avx2,-avx512vnni,+fma")
    assert features() == {"avx2", "fma"}
    assert fastest() is by_avx2
    monkeypatch.setattr("engine.kernels.cpu.dot.config.CPU_FEATURES", "+sse4.2")
    assert fastest() is by_words
