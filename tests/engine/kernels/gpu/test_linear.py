"""Triton's linear layers against plain float64."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.gpu.linear import TritonMatrix, project
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.linear import FusedOps
from engine.layers.modes import Quantization
from tests.engine.kernels.gpu.language import MODES, ROUNDING
from tests.engine.kernels.gpu.oracle import error, projected, stored


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 3, 17])
@pytest.mark.parametrize(("width_in", "width_out"), [(192, 40), (2112, 6)])
def test_a_projection_with_norm_gate_and_shortcut(
    device: TritonDevice, mode: Quantization, rows: int, width_in: int, width_out: int
) -> None:
    weight, scale, meant = stored(torch.randn(2 * width_out, width_in) / width_in**0.5, mode)
    x, shortcut = torch.randn(rows, width_in).half(), torch.randn(rows, width_out).half()
    norm = torch.rand(width_in).half(), 1e-5
    everything = project(device, x, TritonMatrix(weight, scale, gated=True), FusedOps(norm, shortcut))
    assert error(everything, projected(x, meant, norm, shortcut, gated=True)) < ROUNDING
    nothing = project(device, x, TritonMatrix(weight, scale), FusedOps(dtype=torch.float32))
    assert nothing.dtype == torch.float32
    assert error(nothing, projected(x, meant, None, None, gated=False)) < ROUNDING
    assert not device.finished.any(), "the next launch counts from zero"


def test_one_row_is_rounded_only_at_its_end(device: TritonDevice) -> None:
    weight, x, gain = torch.randn(40, 320).half(), torch.randn(1, 320).half(), torch.rand(320).half()
    y = project(device, x, TritonMatrix(weight), FusedOps((gain, 1e-5), dtype=torch.float32))
    assert error(y, projected(x, weight.double(), (gain, 1e-5), None, gated=False)) < 1e-6
