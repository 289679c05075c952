"""Launches the attention kernel that suits the model: one for heads with keys of their own, one for heads that share them."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.attention import AttentionInputs
from engine.kernels.gpu import grouped_attention as grouped
from engine.kernels.gpu.attention import STAGES, TILE, attend_kernel, sharing
from engine.kernels.gpu.triton_device import TritonDevice


def attend(device: TritonDevice, inputs: AttentionInputs) -> Tensor:
    """See `engine.kernels.attention.AttentionKernel`."""
    query, key, value, keys, values, tables, lengths, first = inputs
    positions, frequencies, bias, query_gain, key_gain, eps = first or (None, None, None, None, None, 0.0)
    rows, heads, head_dim = query.shape
    kv_heads, block = keys.shape[2], keys.shape[1]
    if rows * heads > len(device.finished):
        raise ValueError(f"{rows} rows of {heads} heads are more than a step takes. Start the engine with fewer --rows.")
    shared = grouped.suits(rows, heads, kv_heads, head_dim)
    splits, least = (grouped.SPLITS, grouped.LEAST) if shared else sharing(rows * heads)
    out = torch.empty(rows, heads, head_dim, dtype=query.dtype, device=query.device)
    partials = torch.empty(rows * heads * splits * (head_dim + 2), device=query.device)
    arguments = (
        query, key, value, keys, values, tables, lengths, positions, frequencies, bias, query_gain, key_gain, eps, out, partials,
        device.finished, query.stride(0), key.stride(0), value.stride(0), tables.stride(0), heads, kv_heads, head_dim, block,
    )  # fmt: skip
    if shared:
        grouped.attend_group_kernel[(splits, kv_heads, rows)](
            *arguments, grouped.MEMBERS, grouped.TILE, splits, least, grouped.STAGES, device.overlap, num_warps=1
        )
    else:
        attend_kernel[(splits, heads, rows)](*arguments, TILE, splits, least, STAGES, device.overlap, num_warps=1)
    return out
