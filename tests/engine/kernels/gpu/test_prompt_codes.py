"""Products of a prompt's rows with codes as the card's kernels read them, against plain float64."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.gpu import prompt_codes
from engine.kernels.gpu.triton_device import TritonDevice
from engine.kernels.linear import FusedOps
from engine.layers.modes import Quantization
from tests.engine.kernels.gpu.language import MODES, ROUNDING
from tests.engine.kernels.gpu.oracle import error, projected
from tests.engine.kernels.gpu.test_cuda_linear import matrix_of


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize(("features", "gated", "splits"), [(52, False, 1), (84, True, 2)])  # neither fills its tiles
def test_a_prompts_projection_with_norm_and_shortcut(
    device: TritonDevice, mode: Quantization, features: int, gated: bool, splits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_codes, "ROWS", 16)  # so that some rows take a second turn
    monkeypatch.setattr(prompt_codes, "tiling", lambda matrix, rows: prompt_codes.CodesTiling(4, splits, 2, 4))
    width = 192
    matrix, meant = matrix_of(torch.randn(features, width) / width**0.5, mode, gated)
    x, shortcut, norm = torch.randn(20, width).half(), torch.randn(20, features // (1 + gated)).half(), (torch.rand(width).half(), 1e-5)
    ours = prompt_codes.project_codes(device, x, matrix, FusedOps(norm, shortcut))
    assert error(ours, projected(x, meant, norm, shortcut, gated)) < ROUNDING
    assert not device.finished.any(), "the next launch counts from zero"
