"""Parts of the CPU's decode step."""

from __future__ import annotations

import torch
from numba import njit

from engine.kernels.cpu.linear import activate
from engine.kernels.cpu.shapes import TILE


def test_activations_far_from_zero_do_not_overflow() -> None:
    compute = njit("void(int64, int64)")(lambda x, out: activate(x, out))
    x = torch.cat((torch.tensor([-1e4, -100.0, -1.5, 0.0, 2.0, 1e4]), torch.linspace(-20, 20, TILE - 6)))
    out = torch.full((TILE,), torch.nan)
    compute(x.data_ptr(), out.data_ptr())
    torch.testing.assert_close(out, torch.nn.functional.silu(x), rtol=2e-6, atol=1e-6)
