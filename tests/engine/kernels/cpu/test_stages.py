"""Parts of the CPU's decode step."""

from __future__ import annotations

import pytest
import torch

from engine.kernels.cpu.stages import silu


def test_activations_far_from_zero_do_not_overflow() -> None:
    x = torch.tensor([-1e4, -100.0, -1.5, 0.0, 2.0, 1e4])
    assert [silu(value) for value in x.numpy()] == pytest.approx(torch.nn.functional.silu(x).tolist(), abs=1e-6)
