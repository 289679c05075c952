"""Products of a prompt's rows with a matrix of codes, as `layout` lays it out for the card: codes become halves in registers.

A tile's lane holds what one lane of a tensor core's left factor takes, if inputs are counted in another order: `shuffle` brings
activations into it. So the codes are read as they lie, and never exchanged between lanes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu.cuda_linear import CudaMatrix
from engine.kernels.gpu.dot_products import follow
from engine.kernels.gpu.layout import FEATURES, TILE_BYTES
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.linear import PLAIN, FusedOps

INPUTS = tl.constexpr(64)  # of a tile
CODES = tl.constexpr(512)  # bytes of 4-bit codes in a tile; their scales stand behind them
ROWS = 128  # of a program
NARROW, MANY = 8192, 16384  # features


@dataclass(frozen=True)
class CodesTiling:
    """`tiles` of 16 features a program, `splits` programs that share their inputs, `stages` steps in flight."""

    tiles: int
    splits: int
    stages: int
    warps: int


def tiling(matrix: CudaMatrix, rows: int) -> CodesTiling:
    """Measured on an H200 with Vicuna's matrices."""
    turns, features = triton.cdiv(rows, ROWS), matrix.features
    if turns > 1:
        return CodesTiling(8, max(1, 4 // turns) if features <= NARROW else 1, 3, 8)
    if features > MANY and matrix.bits == 8:
        return CodesTiling(8, 1, 3, 4)
    return CodesTiling(4, 4 if features <= NARROW else 2 if features <= MANY else 1, 3, 4)


@triton.jit
def shuffled(place):
    """Where input `place` goes: of 64, the one that is (half, t, product, pair, which) goes to (half, product, pair, t, which)."""
    t, rest = place // 8 % 4, place // 2 % 4
    return place // 32 * 32 + rest * 8 + t * 2 + place % 2


@triton.jit
def shuffle_kernel(x, gain, out, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, OVERLAP: tl.constexpr):
    """One row [WIDTH], behind its RMSNorm where there is a `gain`, in the lanes' order."""
    follow(OVERLAP)
    feature = tl.arange(0, BLOCK)
    inside = feature < WIDTH
    start = tl.program_id(0).to(tl.int64) * WIDTH
    row = tl.load(x + start + feature, inside, 0).to(tl.float32)
    if gain is not None:
        row *= tl.rsqrt(tl.sum(row * row) / WIDTH + eps) * tl.load(gain + feature, inside, 0).to(tl.float32)
    tl.store(out + start + shuffled(feature), row, inside)


@triton.jit
def halves_of_bytes(codes, kind: tl.constexpr, middle: tl.constexpr):
    """Codes less their `middle` in fp16 or bf16, without a conversion of integers: 1024 + a code is a half whose last bits it is."""
    if kind == tl.float16:
        return (codes.to(tl.int16) | 0x6400).to(tl.float16, bitcast=True) - (1024 + middle)
    return (codes.to(tl.float32) - middle).to(kind)


@triton.jit
def int8_step(tile, group, x, live, y, TILES: tl.constexpr):
    """Adds a group's two halves of 32 inputs, a product each: pointers `tile` [TILES, 1] and `x` [1, ROWS]."""
    inner = tl.arange(0, 32)[:, None]
    for half in tl.static_range(2):
        codes = tl.load(tile + half * 512 + tl.arange(0, 512)[None, :])
        codes = codes.reshape(TILES, 8, 4, 2, 2, 2, 2)  # tile, g, t, product, pair, upper or lower, which
        w = halves_of_bytes(codes, x.dtype.element_ty, 128)
        w = w.permute(0, 5, 1, 3, 4, 2, 6).reshape(TILES * 16, 32)
        y = tl.dot(w, tl.load(x + group * 64 + half * 32 + inner, live, 0), y)
    return y


@triton.jit
def scales_of(tile):
    """A group's scales [TILES, 16]: pointers `tile` [TILES, 1]."""
    feature = tl.arange(0, 16)[None, :]
    return tl.load((tile + CODES).to(tl.pointer_type(tl.float16)) + feature % 8 * 2 + feature // 8)


@triton.jit
def packed_step(tile, scale, group, x, live, y, TILES: tl.constexpr):
    """As `int8_step`, of 4-bit codes and their scales."""
    inner = tl.arange(0, INPUTS)[:, None]
    both = tl.load(tile + tl.arange(0, CODES)[None, :])
    codes = tl.join(both & 15, both >> 4).reshape(TILES, 8, 4, 2, 2, 2, 2, 2)  # tile, g, t, half, product, which, pair, upper or lower
    w = halves_of_bytes(codes, x.dtype.element_ty, 8).permute(0, 7, 1, 3, 4, 6, 2, 5).reshape(TILES * 16, INPUTS)
    w *= scale.reshape(TILES * 16)[:, None].to(w.dtype)
    return tl.dot(w, tl.load(x + group * INPUTS + inner, live, 0), y)


@triton.jit
def put_together(y, partials, finished, index, split, SPLITS: tl.constexpr):
    """Adds the shares of `SPLITS` programs → the sum, and whether this program is the last, which has it."""
    ROWS: tl.constexpr = y.shape[1]
    SIZE: tl.constexpr = y.shape[0] * ROWS
    place = tl.arange(0, y.shape[0])[:, None] * ROWS + tl.arange(0, ROWS)[None, :]
    partials += index.to(tl.int64) * (SPLITS * SIZE)
    tl.store(partials + split * SIZE + place, y)
    tl.debug_barrier()  # the whole program has stored
    last = tl.atomic_add(finished + index, 1, sem="acq_rel") == SPLITS - 1
    if last:
        tl.store(finished + index, 0)
        y = tl.zeros_like(y)
        for other in tl.static_range(SPLITS):
            y += tl.load(partials + other * SIZE + place, cache_modifier=".cg")
    return y, last


@triton.jit(do_not_specialize=["rows"])
def codes_kernel(
    x, weight, scale, shortcut, out, partials, finished, rows,
    WIDTH_IN: tl.constexpr, WIDTH_OUT: tl.constexpr, IN_TILES: tl.constexpr, BYTES: tl.constexpr,
    ROWS: tl.constexpr, TILES: tl.constexpr, SPLITS: tl.constexpr, STAGES: tl.constexpr, PACKED: tl.constexpr, GATED: tl.constexpr,
    OVERLAP: tl.constexpr,
):  # fmt: skip
    follow(OVERLAP)
    program, turn, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    GROUPS: tl.constexpr = WIDTH_IN // 64
    SHARE: tl.constexpr = tl.cdiv(GROUPS, SPLITS)
    tile = program * TILES + tl.arange(0, TILES)
    first = weight + (tl.minimum(tile, IN_TILES - 1).to(tl.int64) * (GROUPS * BYTES))[:, None]
    row = turn * ROWS + tl.arange(0, ROWS)[None, :]
    live, from_row = row < rows, x + row * WIDTH_IN
    y = tl.zeros((TILES * 16, ROWS), tl.float32)
    begin, end = split * SHARE, tl.minimum(split * SHARE + SHARE, GROUPS)
    if PACKED:
        scales = scales_of(first + begin * BYTES)
        for group in tl.range(begin, end, num_stages=STAGES):
            coming = scales_of(first + tl.minimum(group + 1, end - 1) * BYTES)  # on its way while this group is multiplied
            y = packed_step(first + group * BYTES, scales, group, from_row, live, y, TILES)
            scales = coming
    else:
        for group in tl.range(begin, end, num_stages=STAGES):
            y = int8_step(first + group * BYTES, group, from_row, live, y, TILES)
    if SPLITS > 1:
        y, last = put_together(y, partials, finished, turn * tl.num_programs(0) + program, split, SPLITS)
        if not last:
            return
    feature = program * TILES * 16 + tl.arange(0, TILES * 16)
    if not PACKED:
        y *= tl.load(scale + tl.minimum(feature, IN_TILES * 16 - 1)).to(tl.float32)[:, None]
    if GATED:  # a tile has eight gates, then their values
        gate, value = y.reshape(TILES, 2, 8, ROWS).permute(0, 2, 3, 1).split()
        y = (gate / (1 + tl.exp(-gate)) * value).reshape(TILES * 8, ROWS)
        feature = program * TILES * 8 + tl.arange(0, TILES * 8)
    place, wanted = row * WIDTH_OUT + feature[:, None], live & (feature < WIDTH_OUT)[:, None]
    if shortcut is not None:
        y += tl.load(shortcut + place, wanted, 0).to(tl.float32)
    tl.store(out + place, y, wanted)


def shuffle(device: TritonDevice, x: Tensor, norm: tuple[Tensor, float] | None) -> Tensor:
    """[rows, width], behind its RMSNorm if there is one, in the lanes' order."""
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    gain, eps = norm or (None, 0.0)
    block = triton.next_power_of_2(x.shape[1])
    shuffle_kernel[(len(x),)](x.contiguous(), gain, out, eps, x.shape[1], block, device.overlap, num_warps=8, **device.early)
    return out


def project_codes(device: TritonDevice, x: Tensor, matrix: CudaMatrix, fused: FusedOps = PLAIN) -> Tensor:
    """See `engine.kernels.prompts.PromptKernels.project`; a matrix of codes."""
    norm, shortcut, dtype = fused
    rows, tiles = len(x), matrix.in_tiles // FEATURES
    cut, at_once = tiling(matrix, rows), min(ROWS, max(16, triton.next_power_of_2(rows)))
    grid = (triton.cdiv(tiles, cut.tiles), triton.cdiv(rows, at_once), cut.splits)
    out = torch.empty(rows, matrix.features // (2 if matrix.gated else 1), dtype=dtype or x.dtype, device=x.device)
    partials = torch.empty(grid[0] * grid[1] * cut.splits * cut.tiles * FEATURES * at_once if cut.splits > 1 else 0, device=x.device)
    codes_kernel[grid](
        shuffle(device, x, norm), matrix.weight, matrix.scale, shortcut, out, partials, device.finished, rows,
        matrix.width_in, out.shape[1], tiles, TILE_BYTES[torch.uint8 if matrix.bits == 4 else torch.int8],
        at_once, cut.tiles, cut.splits, cut.stages, matrix.bits == 4, matrix.gated, device.overlap,
        num_warps=cut.warps, **device.early,
    )  # fmt: skip
    return out
