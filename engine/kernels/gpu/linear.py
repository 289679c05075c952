"""A linear layer over few rows, as fast as its weights can be read: RMSNorm, product, SwiGLU and shortcut in one kernel.

A decode step multiplies 64 rows at most by every matrix of the model, so its time is that of reading the matrix. Each
program owns a few output features; where that makes too few programs to fill a card, several share the input features,
and the last of them to finish adds their shares. The tiles' sizes were measured with Vicuna's matrices on an H100, and
with those of Qwen3-VL on an H200.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu.dot_products import GROUP, few_rows, few_rows_packed, follow, one_row
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.linear import PLAIN, FusedOps

TENSOR_CORE = 64  # rows of the left factor
NARROW = 8192  # outputs, up to which large tiles are too few
AT_ONCE = 1056  # programs of 4 rows of a matrix and two stages of 1,024 features that an H200 has room for


@dataclass(frozen=True)
class TritonMatrix:
    """[out, in] as it is stored: fp16, int8 codes with a scale a row, or 4-bit codes with a scale a group, two codes a byte."""

    weight: Tensor
    scale: Tensor | None = None
    gated: bool = False  # SwiGLU: gates, then as many values

    @property
    def packed(self) -> bool:
        return self.weight.dtype == torch.uint8

    @property
    def width_in(self) -> int:
        return self.weight.shape[1] * (2 if self.packed else 1)


@dataclass(frozen=True)
class TritonTiling:
    """`tile` rows of the matrix a program, `block` features a step, `splits` programs that share the features, `stages` steps in
    flight, `warps` a program."""

    tile: int
    block: int
    splits: int = 1
    stages: int = 1
    warps: int = 4


def tiling(matrix: TritonMatrix, rows: int, shared: int) -> TritonTiling:
    """How to cut a launch with `rows` (padded), where a program has `shared` bytes of shared memory."""
    codes, outs = matrix.scale is not None, len(matrix.weight)
    if rows == 1:
        return tiling_of_one(outs, matrix.width_in, codes)
    wanted = 700 if codes else 160  # programs: codes take more work than bytes, so more of them must be under way
    splits = next((splits for splits in (4, 2) if matrix.packed or splits * outs <= wanted * TENSOR_CORE), 1)
    block = min(64 if splits == 4 and not codes else 128, matrix.width_in & -matrix.width_in)
    step = block * (TENSOR_CORE * matrix.weight.itemsize + rows * 2)  # bytes
    return TritonTiling(TENSOR_CORE, block, splits, max(1, min(3 if matrix.packed else 4 if codes else 6, shared // step - 1)))


def tiling_of_one(outs: int, width_in: int, codes: bool) -> TritonTiling:
    """For one row: blocks that most widths are whole multiples of, or few programs of long rows that nearly fill the card at once."""
    if codes:
        return TritonTiling(8, 512, stages=4) if outs > NARROW else TritonTiling(4, 1024, stages=3)
    if width_in > NARROW and 3 * AT_ONCE // 4 < outs // 4 <= AT_ONCE:
        return TritonTiling(4, 1024, stages=2)
    return TritonTiling(4, 512, stages=4, warps=2)


@triton.jit
def product(
    x, rows, matrix, scales, gain, eps, split,
    WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, SPLITS: tl.constexpr,
    STAGES: tl.constexpr, PACKED: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    """Of x [rows, WIDTH] and pointers to the matrix' rows [TILE]: this program's share of [TILE, ROWS], in fp32."""
    if ROWS == 1:
        y = one_row(x, matrix, gain, eps, WIDTH, BLOCK, STAGES, OVERLAP)
    else:
        SHARE: tl.constexpr = tl.cdiv(WIDTH // BLOCK, SPLITS) * BLOCK
        begin, end = split * SHARE, tl.minimum(split * SHARE + SHARE, WIDTH)
        row = tl.arange(0, ROWS)
        follow(OVERLAP)
        if PACKED:
            y = few_rows_packed(x + row * WIDTH, row < rows, matrix, scales, begin, end, BLOCK, STAGES)
        else:
            y = few_rows(x + row * WIDTH, row < rows, matrix, begin, end, BLOCK, STAGES)
    return y


@triton.jit(do_not_specialize=["rows"])
def project_kernel(
    x, weight, scale, gain, shortcut, out, partials, finished, rows, eps,
    WIDTH_IN: tl.constexpr, WIDTH_OUT: tl.constexpr, ROWS: tl.constexpr, TILE: tl.constexpr, BLOCK: tl.constexpr, SPLITS: tl.constexpr,
    STAGES: tl.constexpr, GATED: tl.constexpr, PACKED: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    tile, split = tl.program_id(0), tl.program_id(1)
    lane, row = tl.arange(0, TILE), tl.arange(0, ROWS)
    OUT: tl.constexpr = TILE // 2 if GATED else TILE
    if GATED:  # a gate and its value lie side by side in the tile, half a matrix apart in memory
        feature = tl.minimum(tile * OUT + lane // 2, WIDTH_OUT - 1) + lane % 2 * WIDTH_OUT
    else:
        feature = tl.minimum(tile * OUT + lane, WIDTH_OUT - 1)
    matrix = weight + feature.to(tl.int64) * (WIDTH_IN // 2 if PACKED else WIDTH_IN)
    scales = scale + feature * (WIDTH_IN // GROUP) if PACKED else scale
    y = product(x, rows, matrix, scales, gain, eps, split, WIDTH_IN, ROWS, BLOCK, SPLITS, STAGES, PACKED, OVERLAP)

    if SPLITS > 1:
        partials_of_tile = partials + tile * (SPLITS * TILE * ROWS) + lane[:, None] * ROWS + row[None, :]
        tl.store(partials_of_tile + split * (TILE * ROWS), y)
        tl.debug_barrier()  # the whole program has stored
        if tl.atomic_add(finished + tile, 1, sem="acq_rel") < SPLITS - 1:
            return
        tl.store(finished + tile, 0)
        y = tl.zeros((TILE, ROWS), tl.float32)
        for other in tl.static_range(SPLITS):
            y += tl.load(partials_of_tile + other * (TILE * ROWS), cache_modifier=".cg")

    if scale is not None and not PACKED:
        y *= tl.load(scale + feature).to(tl.float32)[:, None]
    if GATED:
        gate, value = tl.split(tl.permute(tl.reshape(y, (OUT, 2, ROWS)), (0, 2, 1)))
        y = gate / (1 + tl.exp(-gate)) * value
    outputs = tile * OUT + tl.arange(0, OUT)[:, None]
    places, wanted = outputs + row[None, :] * WIDTH_OUT, (row[None, :] < rows) & (outputs < WIDTH_OUT)
    if shortcut is not None:
        y += tl.load(shortcut + places, wanted, 0).to(tl.float32)
    tl.store(out + places, y, wanted)


def project(device: TritonDevice, x: Tensor, matrix: TritonMatrix, fused: FusedOps = PLAIN) -> Tensor:
    """See `engine.kernels.linear.LinearKernels.project`. Accumulates in fp32; 128 rows at most; `in` is a multiple of 16."""
    norm, shortcut, dtype = fused
    rows, width_in = x.shape
    alone = rows == 1 and not matrix.packed
    if norm is not None and not alone:
        x, norm = normalise(device, x, *norm), None
    padded = 1 if alone else max(triton.next_power_of_2(rows), 16 if matrix.scale is None else 8)
    cut = tiling(matrix, padded, device.shared)
    width_out = len(matrix.weight) // (2 if matrix.gated else 1)
    tiles = triton.cdiv(len(matrix.weight), cut.tile)
    out = torch.empty(rows, width_out, dtype=dtype or x.dtype, device=x.device)
    partials = torch.empty(tiles * cut.splits * cut.tile * padded if cut.splits > 1 else 0, device=x.device)
    gain, eps = norm or (None, 0.0)
    early = alone or matrix.scale is None  # small programs that start early crowd where there is room first
    project_kernel[(tiles, cut.splits)](
        x, matrix.weight, matrix.scale, gain, shortcut, out, partials, device.finished, rows, eps,
        width_in, width_out, padded, cut.tile, cut.block, cut.splits, cut.stages, matrix.gated, matrix.packed, device.overlap,
        num_warps=cut.warps, num_stages=cut.stages, **(device.early if early else {}),
    )  # fmt: skip
    return out


@triton.jit
def normalise_kernel(x, gain, out, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, OVERLAP: tl.constexpr):
    feature = tl.arange(0, BLOCK)
    inside = feature < WIDTH
    weight = tl.load(gain + feature, inside, 0).to(tl.float32)
    follow(OVERLAP)
    place = tl.program_id(0) * WIDTH + feature
    row = tl.load(x + place, inside, 0).to(tl.float32)
    tl.store(out + place, row * tl.rsqrt(tl.sum(row * row) / WIDTH + eps) * weight, inside)


def normalise(device: TritonDevice, x: Tensor, gain: Tensor, eps: float) -> Tensor:
    """RMSNorm of [rows, width]: several rows are worth a kernel of their own, one row's norm hides behind its product."""
    out = torch.empty_like(x)
    block = triton.next_power_of_2(x.shape[1])
    normalise_kernel[(len(x),)](x, gain, out, eps, x.shape[1], block, device.overlap, num_warps=8, **device.early)
    return out
