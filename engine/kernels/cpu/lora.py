"""LoRA beside a packed matrix: two narrow products in bf16, of which a tile reads the ranks that reach it and no others.

A projection that is fused of several (queries, keys and values) has their adapters side by side, and each reaches its own outputs alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils

from engine.kernels.cpu.jit import instruction
from engine.kernels.cpu.shapes import HALF_TILE, TILE
from engine.kernels.cpu.vectors import FLOATS, INT64, Value, add_up, every, in_every_place, load, load_bf16, multiply_add, offset, store
from engine.layers.linear import Linear


class Adapters(NamedTuple):
    """Of one linear layer in every block; rank 0 where there is no LoRA. bf16 by its bits: numpy has none."""

    a: npt.NDArray[np.uint16]  # [layers, rank, width_in]
    b: npt.NDArray[np.uint16]  # [layers, tiles, most ranks of a tile, TILE]
    ranks: npt.NDArray[np.int64]  # [tiles, most ranks of a tile]: which they are; then -1
    owners: npt.NDArray[np.int64]  # [rank]: which of the model's adapters each belongs to
    gains: npt.NDArray[np.float32]  # [layers]: what every adapter's output is multiplied by


def pack_adapters(layers: list[Linear]) -> Adapters:
    """Those of the same linear layer of each block; adapters are of the same ranks in all."""
    loras = [layer.lora for layer in layers if layer.lora is not None]
    tiles = layers[0].width_out // TILE
    if not loras:
        nothing = np.zeros((tiles, 0), np.int64)
        b = np.zeros((len(layers), tiles, 0, TILE), np.uint16)
        return Adapters(np.zeros((len(layers), 0, layers[0].width_in), np.uint16), b, nothing, nothing[0], np.ones(len(layers), np.float32))
    b = torch.stack([lora.b for lora in loras]).unflatten(1, (-1, TILE)).transpose(2, 3)  # [layers, tiles, rank, TILE]
    reached = b.ne(0).any(dim=-1).any(dim=0)  # [tiles, rank]
    most = int(reached.sum(dim=-1).max())
    order = reached.int().argsort(dim=-1, descending=True, stable=True)[:, :most]
    ranks = torch.where(reached.gather(1, order), order, -1)
    kept = b.gather(2, order[None, :, :, None].expand(len(b), -1, -1, TILE))
    gains = np.array([lora.scale for lora in loras], np.float32)
    return Adapters(bf16_bits(torch.stack([lora.a for lora in loras])), bf16_bits(kept), ranks.numpy(), loras[0].owners.numpy(), gains)


def bf16_bits(tensor: torch.Tensor) -> npt.NDArray[np.uint16]:
    return tensor.bfloat16().contiguous().view(torch.int16).numpy().view(np.uint16)


@instruction
def dot_bf16(_: Any, size: Any, x: Any, a: Any) -> Any:
    """x · a: `size` floats at address `x`, bf16 at address `a`; a multiple of TILE."""

    def generate(context: Any, builder: ir.IRBuilder, __: Any, values: list[Value]) -> Value:
        size, x, a = values
        totals = [cgutils.alloca_once(builder, FLOATS) for _ in range(TILE // HALF_TILE)]
        for total in totals:
            builder.store(every(0.0, FLOATS), total)
        with cgutils.for_range(builder, builder.udiv(size, ir.Constant(INT64, TILE)), intp=INT64) as loop:
            for half, total in enumerate(totals):
                place = builder.add(builder.mul(loop.index, ir.Constant(INT64, TILE)), ir.Constant(INT64, HALF_TILE * half))
                left, right = load(builder, offset(builder, x, place, 4), FLOATS), load_bf16(builder, offset(builder, a, place, 2))
                builder.store(multiply_add(builder, left, right, builder.load(total)), total)
        return add_up(builder, builder.fadd(*(builder.load(total) for total in totals)))

    return types.float32(*[types.int64] * 3), generate


@instruction
def add_scaled(_: Any, factor: Any, b: Any, out: Any) -> Any:
    """out += factor · b: TILE floats at address `out`, bf16 at address `b`."""

    def generate(context: Any, builder: ir.IRBuilder, __: Any, values: list[Value]) -> Value:
        factor, b, out = values
        factors = in_every_place(builder, factor, FLOATS)
        for first in range(0, TILE, HALF_TILE):
            place, part = offset(builder, out, first, 4), load_bf16(builder, offset(builder, b, first, 2))
            store(builder, multiply_add(builder, factors, part, load(builder, place, FLOATS)), place)
        return context.get_dummy_value()

    return types.void(types.float32, types.int64, types.int64), generate
