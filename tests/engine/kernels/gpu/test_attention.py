"""Triton's attention against plain float64."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.gpu.attend import attend
from engine.kernels.gpu.triton_device import TritonDevice
from tests.engine.kernels.gpu.attention_check import check_attention


@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim", "rotated"), [(2, 2, 16, True), (3, 1, 16, False), (6, 2, 32, True), (3, 1, 64, False)]
)
def test_attention_over_scattered_blocks(
    device: TritonDevice, heads: int, kv_heads: int, head_dim: int, rotated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.kernels.gpu.grouped_attention.FEW", 0)
    check_attention(partial(attend, device), heads, kv_heads, head_dim, (0, 15, 16, 70), rotated=rotated)
    assert not device.finished.any()
