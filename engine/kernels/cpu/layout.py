"""A language model's matrices in the order in which the kernels read them: 4 bits a weight in the blocks, 8 in the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.kernels.cpu.shapes import TILE
from engine.layers.int4_cpu import to_4bit
from engine.layers.linear import Linear
from engine.layers.quantized import QuantizedLinear

Floats = npt.NDArray[np.float32]


class Projection(NamedTuple):
    """One linear layer's matrix in every transformer block; `lora_a` and `lora_b` have rank 0 where there is no LoRA."""

    codes: npt.NDArray[np.uint8]  # [layers, tiles, width_in, TILE / 2]: output i in the low bits, output i + 16 in the high
    scales: npt.NDArray[np.uint16]  # [layers, tiles, width_in / GROUP, 2, TILE]: step and least weight, the bits of a half
    lora_a: Floats  # [layers, rank, width_in]
    lora_b: Floats  # [layers, tiles, rank, TILE]
    owners: npt.NDArray[np.int64]  # [rank]: which of the model's adapters each belongs to


class Head(NamedTuple):
    """The matrix to the vocabulary, padded to whole tiles."""

    codes: npt.NDArray[np.int8]  # [tiles, width, TILE]
    scales: Floats  # [tiles, TILE]


def pack_projections(layers: list[Linear]) -> Projection:
    """Packs the same linear layer of each block; `width_out` is a multiple of TILE, `width_in` of GROUP; adapters are of the
    same ranks in all."""
    codes, scales, lora_a, lora_b = (np.stack(parts) for parts in zip(*(pack_one(layer) for layer in layers), strict=True))
    owners = np.empty(0, np.int64) if layers[0].lora is None else layers[0].lora.owners.numpy()
    return Projection(codes, scales, lora_a, lora_b, owners)


def pack_one(layer: Linear) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16], Floats, Floats]:
    codes, scales = to_4bit(layer.weight)  # [out, in], [in / GROUP, out, 2]
    low, high = tiles(codes.to(torch.uint8)).contiguous().chunk(2, dim=-1)
    step, middle = scales.float().unbind(-1)
    least = torch.stack((step, middle - 8 * step), dim=1)  # [groups, 2, out]
    halves = least.unflatten(-1, (-1, TILE)).permute(2, 0, 1, 3).half().contiguous()
    return (low | high << 4).numpy(), halves.view(torch.int16).numpy().view(np.uint16), *pack_lora(layer)


def pack_lora(layer: Linear) -> tuple[Floats, Floats]:
    if layer.lora is None:
        return np.zeros((0, layer.width_in), np.float32), np.zeros((layer.width_out // TILE, 0, TILE), np.float32)
    a, b = layer.lora.a.float(), layer.lora.b.float() * layer.lora.scale
    return a.numpy(), tiles(b).contiguous().numpy()


def tiles(matrix: Tensor) -> Tensor:
    """[out, in] → [out / TILE, in, TILE]."""
    cut: Tensor = matrix.unflatten(0, (-1, TILE)).transpose(1, 2)
    return cut


def pack_head(head: QuantizedLinear) -> Head:
    """Reorders the head's int8 codes; their values stay."""
    missing = -head.width_out % TILE
    codes = torch.nn.functional.pad(head.weight, (0, 0, 0, missing))
    scales = torch.nn.functional.pad(head.weight_scale.float(), (0, missing))
    return Head(tiles(codes).contiguous().numpy(), scales.view(-1, TILE).numpy())
