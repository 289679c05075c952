"""Quantised matrices as the card's kernels read them: tiles of 16 features by 64 inputs, in each what a warp's lane takes side by side.

`engine/kernels/gpu/cuda/project.cu` says what a lane holds: of features g and g + 8 of a tile (g = lane / 4) the inputs
8t … 8t + 7 and 32 + 8t … 32 + 8t + 7 (t = lane % 4). Where a matrix is gated, a tile has eight gates and their eight values.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.layers.quantization import GROUP

FEATURES = 16  # of a tile
INPUTS = 64  # of a tile: a group of 4-bit codes, which share a scale
SLICE = 1 << 24  # bytes of codes that are laid out at a time
TILE_BYTES = {torch.uint8: 544, torch.int8: 1024}  # by the type of the codes as they are stored


def lay_out(codes: Tensor, scale: Tensor, gated: bool) -> tuple[Tensor, Tensor | None]:
    """Codes and scales as `engine.layers.quantization` stores them → tiles [tiles, in / 64, bytes], and int8's scales [16 · tiles].

    Some tiles at a time, so that a small card has room beside them.
    """
    bytewise = codes.view(torch.uint8) ^ 128 if codes.dtype == torch.int8 else codes
    whole = in_tiles(bytewise, gated, 128 if codes.dtype == torch.int8 else 136)
    scales = in_tiles(scale if scale.ndim == 2 else scale[:, None], gated)
    steps = whole.shape[1] * (1 if codes.dtype == torch.int8 else 2) // INPUTS
    tiles = torch.empty(len(whole) // FEATURES, steps, TILE_BYTES[codes.dtype], dtype=torch.uint8, device=codes.device)
    at_a_time = max(1, SLICE // whole.shape[1] // FEATURES)
    for first in range(0, len(tiles), at_a_time):
        rows = slice(first * FEATURES, (first + at_a_time) * FEATURES)
        part = lay_out_int8(whole[rows]) if codes.dtype == torch.int8 else lay_out_4bit(whole[rows], scales[rows])
        tiles[first : first + at_a_time] = part
    return tiles, scales[:, 0].contiguous() if codes.dtype == torch.int8 else None


def lay_out_int8(rows: Tensor) -> Tensor:
    """int8 codes + 128 [16 · tiles, in] in the tiles' order → [tiles, in / 64, bytes]."""
    # [tiles, upper or lower, g, groups, half, t, product, pair, of the pair]
    places = rows.view(-1, 2, 8, rows.shape[1] // INPUTS, 2, 4, 2, 2, 2)
    return places.permute(0, 3, 4, 2, 5, 6, 7, 1, 8).reshape(len(places), -1, TILE_BYTES[torch.int8])


def lay_out_4bit(rows: Tensor, scales: Tensor) -> Tensor:
    """Pairs of 4-bit codes [16 · tiles, in / 2] in the tiles' order → [tiles, in / 64, bytes]; a group's scales stand behind its codes."""
    pairs = rows.unflatten(1, (-1, GROUP // 2))
    places = torch.cat((pairs & 15, pairs >> 4), dim=-1).view(-1, 2, 8, pairs.shape[1], 2, 4, 2, 2, 2).permute(0, 3, 2, 5, 4, 6, 8, 7, 1)
    # a byte has the upper feature's code below the lower one's; bytes go by first and third input, then second and fourth
    both = (places[..., 0] | places[..., 1] << 4).reshape(len(places), -1, 512)
    beside = scales.view(len(places), 2, 8, -1).permute(0, 3, 2, 1).contiguous()
    return torch.cat((both, beside.view(torch.uint8).flatten(2)), dim=-1)


def in_tiles(rows: Tensor, gated: bool, blank: int = 0) -> Tensor:
    """[out, …] → the same rows in the tiles' order, padded with `blank` to whole tiles."""
    if not gated:
        return filled(rows, FEATURES, blank)
    gates, values = (filled(half, FEATURES // 2, blank).unflatten(0, (-1, FEATURES // 2)) for half in rows.chunk(2))
    return torch.stack((gates, values), dim=1).flatten(0, 2)


def filled(rows: Tensor, multiple: int, blank: int) -> Tensor:
    lack = -len(rows) % multiple
    return rows if not lack else torch.cat((rows, rows.new_full((lack, *rows.shape[1:]), blank)))
