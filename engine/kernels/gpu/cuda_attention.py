"""Attention by the kernel in `cuda/attend.cu`."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.attention import AttentionInputs
from engine.kernels.gpu.cuda_launcher import CudaLauncher
from engine.kernels.gpu.cuda_parameters import AttendCall

THREADS = 128  # of a program


class CudaAttention:
    """See `engine.kernels.attention.AttentionKernel`."""

    def __init__(self, launcher: CudaLauncher) -> None:
        self.launcher = launcher

    def __call__(self, inputs: AttentionInputs) -> Tensor:
        query, key, value, keys, values, tables, lengths, turn = inputs
        positions, frequencies, bias, query_gain, key_gain, eps = turn or (None, None, None, None, None, 0.0)
        rows, heads, head_dim = query.shape
        splits = max(1, min(16, 1024 // (rows * heads)))
        out = torch.empty(rows, heads, head_dim, dtype=query.dtype, device=query.device)
        partials = torch.empty(rows * heads * splits * (head_dim + 2), device=query.device)
        call = AttendCall(
            query=query, key=key, value=value, keys=keys, values=values, tables=tables, lengths=lengths, positions=positions,
            frequencies=frequencies, bias=bias, query_gain=query_gain, key_gain=key_gain, eps=eps,
            out=out, partials=partials, finished=self.launcher.finished,
            query_stride=query.stride(0), key_stride=key.stride(0), value_stride=value.stride(0), table_stride=tables.stride(0),
            heads=heads, kv_heads=keys.shape[2], splits=splits, least=64,
        )  # fmt: skip
        self.launcher.kernel("attend", "attend.cu", f"HEAD_DIM {head_dim}").launch(call, (splits, heads, rows), THREADS)
        return out
