"""Weight-only quantisation: what is stored instead of a projection's matrix, and back. Activations stay as they are.

int8: one scale a row. 4bit: one scale for every 64 neighbours of a row, 4.25 bits a weight. Both round to the nearest
step; the scale is the one of a few that leaves the least squared error. Rows are independent, so that matrices which
read the same input may be stacked before or after.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.layers.modes import Quantization

GROUP = 64  # weights that share a scale in 4 bit
BLOCK = 1 << 23  # elements worked on at a time: bounds the memory that a matrix of any size needs
LEAST, MOST = -8, 7  # of the 4-bit codes
SHRINK = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05)  # of the scale that just spans a group
HEAD = "lm_head.weight"
MIDDLES = 0x88  # two 4-bit codes that stand for 0; with their highest bits turned, codes are numbers in two's complement


@dataclass(frozen=True)
class Slot:
    """Type and shape of one tensor as it is stored, in a file or on a device."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def mode_of(name: str, width: int, quantization: Quantization) -> Quantization:
    """The mode in which the parameter [out, width] with this Hugging Face name is kept: linear layers are quantised, others are not.

    The head goes to int8 in every mode, for it decides between words directly: SmolLM2's loss rises by 9.6 % with it in
    4 bit and by 4.9 % without. So does a matrix whose rows can't be cut into groups. In mode q4_1 the others stay whole:
    `engine.layers.int4_cpu` packs them for the CPU once they are there.
    """
    if quantization == "none" or not name.endswith(("_proj.weight", HEAD)):
        return "none"
    if quantization == "q4_1" and not name.endswith(HEAD):
        return "none"
    return "int8" if name.endswith(HEAD) or width % GROUP else quantization


def mode_of_codes(dtype: torch.dtype) -> Quantization:
    """The mode whose codes have this type."""
    modes: dict[torch.dtype, Quantization] = {torch.int8: "int8", torch.uint8: "4bit"}
    return modes.get(dtype, "none")


def quantized_slots(name: str, shape: tuple[int, ...], mode: Quantization) -> dict[str, Slot]:
    """The tensors that are stored for a matrix [out, in] called `name`."""
    out, width = shape
    if mode == "int8":
        return {name: Slot(torch.int8, (out, width)), f"{name}_scale": Slot(torch.float16, (out,))}
    return {name: Slot(torch.uint8, (out, width // 2)), f"{name}_scale": Slot(torch.float16, (out, width // GROUP))}


def quantize(weight: Tensor, mode: Quantization) -> tuple[Tensor, Tensor]:
    """[out, in] → codes and scales as `quantized_slots` says; 4 bit needs rows of whole groups."""
    quantize_rows = to_int8 if mode == "int8" else to_4bit
    blocks = [quantize_rows(rows.float()) for rows in weight.split(block_rows(weight.shape[1]))]
    return torch.cat([codes for codes, _ in blocks]), torch.cat([scales for _, scales in blocks])


def dequantize(codes: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """The matrix that codes and scales stand for, [out, in]. Codes meet their scales as bytes: nothing larger is written but the result."""
    if codes.dtype == torch.int8:
        return codes * scales[:, None].to(dtype)
    signed, scale = (codes ^ MIDDLES).view(torch.int8).unflatten(-1, (-1, GROUP // 2)), scales[..., None].to(dtype)
    matrix = torch.empty(*signed.shape[:-1], GROUP, dtype=dtype, device=codes.device)
    torch.mul(signed << 4 >> 4, scale, out=matrix[..., : GROUP // 2])
    torch.mul(signed >> 4, scale, out=matrix[..., GROUP // 2 :])
    return matrix.flatten(1)


def block_rows(width: int) -> int:
    """How many rows of `width` weights are worked on at a time."""
    return max(1, BLOCK // width)


def to_int8(rows: Tensor) -> tuple[Tensor, Tensor]:
    """[out, in] → codes [out, in] and scales [out]."""
    largest = rows.abs().amax(dim=-1, keepdim=True)
    scale = nonzero(largest / 127)  # clipping never pays at 8 bits
    return (rows / scale).round().clamp(-127, 127).to(torch.int8), scale[:, 0].half()


def to_4bit(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The weight that is largest in size becomes -8, the one step that has no opposite (as in llama.cpp's Q4_0)."""
    groups = rows.unflatten(-1, (-1, GROUP))  # [out, groups, 64]
    whole = spanning(groups)
    codes, scale = best_of(groups, [nonzero(whole * factor) for factor in SHRINK], lambda x: x.round().clamp(LEAST, MOST))
    return pack(codes), scale[..., 0].half()


def spanning(groups: Tensor) -> Tensor:
    """[out, groups, 64] → the scale [out, groups, 1] by which each group's weight of largest size is -8 steps."""
    return groups.gather(-1, groups.abs().argmax(dim=-1, keepdim=True)) / LEAST


def best_of(groups: Tensor, scales: list[Tensor], to_codes: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Codes and scale of least squared error, for each group its own."""
    best_codes, best_scale = to_codes(groups / scales[0]), scales[0]
    best_error = (best_codes * best_scale - groups).square().sum(dim=-1, keepdim=True)
    for scale in scales[1:]:
        codes = to_codes(groups / scale)
        error = (codes * scale - groups).square().sum(dim=-1, keepdim=True)
        better = error < best_error
        best_codes, best_scale = torch.where(better, codes, best_codes), torch.where(better, scale, best_scale)
        best_error = torch.minimum(error, best_error)
    return best_codes, best_scale


def nonzero(scale: Tensor) -> Tensor:
    """Rounded as it will be stored; a group of zeros gets a scale that divides."""
    stored = scale.half().float()
    return torch.where(stored == 0, torch.ones_like(stored), stored)


def pack(codes: Tensor) -> Tensor:
    """[out, groups, 64] of -8 … 7 → bytes [out, in / 2]: a group's first half in the low four bits, its second in the high."""
    low, high = (codes + 8).to(torch.uint8).chunk(2, dim=-1)
    return (low | high << 4).flatten(1)
