"""Attention in CUDA's C++ against plain float64."""

from __future__ import annotations

import pytest

from engine.kernels.gpu.cuda_attention import CudaAttention
from engine.kernels.gpu.cuda_launcher import CudaLauncher
from tests.engine.kernels.gpu.attention_check import check_attention


@pytest.mark.parametrize(("heads", "kv_heads", "head_dim", "rotated"), [(2, 2, 16, True), (3, 1, 64, False), (1, 1, 128, True)])
def test_attention_over_scattered_blocks(launcher: CudaLauncher, heads: int, kv_heads: int, head_dim: int, rotated: bool) -> None:
    check_attention(CudaAttention(launcher), heads, kv_heads, head_dim, (0, 15, 16, 70, 200), rotated=rotated)
    assert not launcher.finished.any()
