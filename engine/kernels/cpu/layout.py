"""A language model's matrices in the order in which the kernels read them: 4 bits a weight in the blocks, 8 in the head.

A tile's bytes are read from the first to the last. A group is 32 inputs: vectors of 64 codes, as `engine.kernels.cpu.dot` wants them,
in turn for either half of the tile (16 outputs), and in the blocks then the steps and the least weights of all 32 outputs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.kernels.cpu import huge_pages
from engine.kernels.cpu.dot import SIGN
from engine.kernels.cpu.lora import Adapters, pack_adapters
from engine.kernels.cpu.shapes import HALF_TILE, QUAD, TILE
from engine.layers.int4_cpu import GROUP, to_4bit
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


class Projection(NamedTuple):
    """One linear layer's matrix in every transformer block, and its LoRA."""

    groups: Bytes  # [layers, tiles, width_in / GROUP, BYTES_4BIT]; the scales are the bits of halves
    adapters: Adapters


class Head(NamedTuple):
    """The matrix to the vocabulary, padded to whole tiles."""

    groups: Bytes  # [tiles, width / GROUP, BYTES_8BIT]: codes with SIGN added
    scales: Floats  # [tiles, TILE]


def pack_projections(layers: list[Linear]) -> Projection:
    """Packs the same linear layer of each block; `width_out` is a multiple of TILE, `width_in` of GROUP; adapters are of the
    same ranks in all."""
    first = pack_codes(layers[0])
    groups = huge_pages.empty((len(layers), *first.shape), np.uint8)
    for place, layer in enumerate(layers):
        groups[place] = pack_codes(layer) if place else first
    return Projection(groups, pack_adapters(layers))


def pack_codes(layer: Linear) -> Bytes:
    """[tiles, groups, BYTES_4BIT]"""
    codes, scales = to_4bit(layer.weight)  # [out, in], [groups, out, 2]
    low, high = quads(codes.to(torch.uint8)).unflatten(2, (-1, 2)).unbind(3)
    step, middle = scales.float().unbind(-1)
    halves = torch.stack((step, middle - 8 * step), dim=1).half()  # [groups, 2, out]
    by_tile = halves.unflatten(-1, (-1, TILE)).permute(2, 0, 1, 3).contiguous().view(torch.uint8)
    return torch.cat(((low | high << 4).flatten(2), by_tile.flatten(2)), dim=-1).numpy()


def quads(matrix: Tensor) -> Tensor:
    """[out, in] → [tiles, groups, quads, halves of the tile, outputs, QUAD]"""
    cut: Tensor = matrix.unflatten(1, (-1, GROUP // QUAD, QUAD)).unflatten(0, (-1, 2, HALF_TILE))
    return cut.permute(0, 3, 4, 1, 2, 5)


def pack_head(head: QuantizedLinear) -> Head:
    """Reorders the head's int8 codes; their values stay."""
    missing = -head.width_out % TILE
    codes = torch.nn.functional.pad(head.weight, (0, 0, 0, missing))
    scales = torch.nn.functional.pad(head.weight_scale.float(), (0, missing))
    shifted = codes.view(torch.uint8) ^ SIGN  # two's complement: the same as adding it
    return Head(huge_pages.moved(quads(shifted).flatten(2).numpy()), scales.view(-1, TILE).numpy())
