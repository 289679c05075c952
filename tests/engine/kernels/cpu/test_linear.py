"""A product of rounded inputs with one packed tile, against whole numbers added up exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numba import njit, types

from engine.kernels.cpu.dot import Dot, by_words, fastest
from engine.kernels.cpu.jit import instruction
from engine.kernels.cpu.layout import pack_projections
from engine.kernels.cpu.linear import BYTES_4BIT, emit, round_inputs
from engine.kernels.cpu.shapes import TILE
from engine.layers.int4_cpu import GROUP, pack
from engine.layers.linear import Linear
from tests.engine.kernels.cpu.language import restored

ROWS, WIDTH = 3, 128
NEAR_A_TIE = 1e-4  # of a step: an input this near may be rounded to either side


@pytest.mark.parametrize("dot", list(dict.fromkeys((by_words, fastest()))))
def test_a_product_is_exact_but_for_the_rounding_of_its_inputs(dot: Dot) -> None:
    generator = torch.Generator().manual_seed(11)
    model = torch.nn.Sequential(Linear(WIDTH, TILE))
    model[0].weight.data = torch.randn(TILE, WIDTH, generator=generator)
    pack(model)
    linear = model[0]
    assert isinstance(linear, Linear)
    packed = pack_projections([linear])
    x = torch.randn(ROWS, WIDTH, generator=generator)
    x[1] *= 1e4
    x[2, :GROUP] = 0  # a group without a scale
    x[2, -1] = 300  # beside what is far larger
    wanted, error = exactly(x, restored(packed, 0))
    together = product(dot, packed.groups[0, 0], x.numpy())
    assert (np.abs(together - wanted) <= 2e-6 * error).all()
    for row in range(ROWS):
        np.testing.assert_array_equal(product(dot, packed.groups[0, 0], x[row : row + 1].numpy())[0], together[row])


def exactly(x: torch.Tensor, weight: torch.Tensor) -> tuple[Any, Any]:
    """The product, and the sum of what was added up to it, which a float's error is relative to."""
    groups = x.double().unflatten(-1, (-1, GROUP))
    scale = groups.abs().amax(dim=-1, keepdim=True) / 127
    steps = groups / scale.clamp(min=1e-30)
    assert ((steps - steps.floor() - 0.5).abs() > NEAR_A_TIE).all()
    rounded = (steps.round() * scale).flatten(-2)
    return (rounded @ weight.double().T).numpy(), (rounded.abs() @ weight.double().abs().T).numpy().max(axis=1, keepdims=True)


def product(dot: Dot, tile: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    @instruction
    def emitted(_: Any, tile: Any, codes: Any, scales: Any, sums: Any, scaled_sums: Any, groups: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, __: Any, values: list[Any]) -> Any:
            emit(builder, len(x), BYTES_4BIT, dot, values)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate

    compiled = njit("void(int64, int64, int64, int64, int64, int64, int64)", fastmath=True)(
        lambda a, b, c, d, e, f, g: emitted(a, b, c, d, e, f, g)
    )
    round_all = njit("void(int64, int64, int64, int64, int64, int64)", fastmath=True)(
        lambda a, b, c, d, e, f: round_inputs(a, b, c, d, e, f)
    )
    groups = WIDTH // GROUP
    codes, sums = np.empty(x.shape, np.int8), np.empty((len(x), groups), np.int32)
    scales, scaled_sums = np.empty((2, len(x), groups), np.float32)
    out = np.empty((len(x), TILE), np.float32)
    derived = [part.ctypes.data for part in (codes, scales, sums, scaled_sums)]
    round_all(scales.size, x.ctypes.data, *derived)
    compiled(tile.ctypes.data, *derived, groups, out.ctypes.data)
    return out
