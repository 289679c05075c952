"""Triton's attention against plain float64."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.gpu.attention import attend
from engine.kernels.gpu.triton_device import TritonDevice
from tests.engine.kernels.gpu.attention_check import check_attention


@pytest.mark.parametrize(("heads", "kv_heads", "rotated"), [(2, 2, True), (3, 1, False)])
def test_attention_over_scattered_blocks(device: TritonDevice, heads: int, kv_heads: int, rotated: bool) -> None:
    check_attention(partial(attend, device), heads, kv_heads, 16, (0, 15, 16, 70), rotated=rotated)
    assert not device.finished.any()
