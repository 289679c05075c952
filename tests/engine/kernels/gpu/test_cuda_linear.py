"""Linear layers in CUDA's C++ against plain float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.gpu import cuda_linear, cuda_tile_sizes
from engine.kernels.gpu.cuda_launcher import CudaLauncher
from engine.kernels.gpu.cuda_linear import CudaLinear, CudaMatrix
from engine.kernels.gpu.layout import lay_out
from engine.kernels.linear import FusedOps
from engine.layers.modes import Quantization
from tests.engine.kernels.gpu.language import MODES, ROUNDING
from tests.engine.kernels.gpu.oracle import error, projected, stored


def matrix_of(weight: Tensor, mode: Quantization, gated: bool) -> tuple[CudaMatrix, Tensor]:
    """As the kernels take it, and what it stands for."""
    codes, scale, meant = stored(weight, mode)
    if scale is None:
        return CudaMatrix(codes, None, 16, len(weight), weight.shape[1], gated), meant
    bits = cuda_linear.BITS[codes.dtype]
    return CudaMatrix(*lay_out(codes, scale, gated), bits, len(weight), weight.shape[1], gated), meant


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 5, 13, 20, 40])  # one for every size of kernel
@pytest.mark.parametrize("gated", [False, True])
def test_a_projection_with_norm_and_shortcut(launcher: CudaLauncher, mode: Quantization, rows: int, gated: bool) -> None:
    width_in, features = 320, 52
    matrix, meant = matrix_of(torch.randn(features, width_in) / width_in**0.5, mode, gated)
    x, shortcut = torch.randn(rows, width_in).half(), torch.randn(rows, features // (1 + gated)).half()
    norm = torch.rand(width_in).half(), 1e-5
    assert error(CudaLinear(launcher).project(x, matrix, FusedOps(norm, shortcut)), projected(x, meant, norm, shortcut, gated)) < ROUNDING
    wide = CudaLinear(launcher).project(x, matrix, FusedOps(dtype=torch.float32))
    assert wide.dtype == torch.float32
    scaled = rows > 16 and mode == "4bit"  # many rows multiply restored halves, whose codes met their scales before
    assert error(wide, projected(x, meant, None, None, gated)) < (ROUNDING if scaled else 1e-5)
    assert not launcher.finished.any(), "the next launch counts from zero"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [cuda_tile_sizes.LONG, cuda_tile_sizes.WIDE])
@pytest.mark.parametrize("rows", [1, 7])
def test_every_shape_of_a_matrix(
    launcher: CudaLauncher, mode: Quantization, shape: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several tiles a program and several programs a tile; 100 features leave the last program without its last tile."""
    monkeypatch.setattr(cuda_linear, "shape_of", lambda features, width_in: shape)
    matrix, meant = matrix_of(torch.randn(100, 448) / 21, mode, gated=False)
    x = torch.randn(rows, 448).half()
    assert error(CudaLinear(launcher).project(x, matrix), projected(x, meant, None, None, gated=False)) < ROUNDING
    assert not launcher.finished.any()


@pytest.mark.parametrize("mode", MODES[1:])
@pytest.mark.parametrize("rows", [3, 70])
@pytest.mark.parametrize("gated", [False, True])
def test_prompts_of_any_length_from_codes(
    launcher: CudaLauncher, mode: Quantization, rows: int, gated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_linear, "FEW", 80)
    monkeypatch.setattr(cuda_linear, "RESTORED", 2 * 16 * 128 * 2)  # two tiles of features at a time
    matrix, meant = matrix_of(torch.randn(84, 128) / 11, mode, gated)
    x = torch.randn(rows, 2, 128).half()
    y = CudaLinear(launcher).product(x, matrix)
    assert y.shape == (rows, 2, 84)
    assert error(y, x.double() @ meant.T) < ROUNDING
