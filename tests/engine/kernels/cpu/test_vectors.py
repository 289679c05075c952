"""Vector operations that LLVM has no instruction for."""

from __future__ import annotations

import numpy as np

from engine.kernels.cpu.attention import exponentials
from engine.kernels.cpu.shapes import SPAN


def test_a_spans_exponentials_are_numpys_whatever_lies_behind_them() -> None:
    scores = np.full(SPAN, np.nan, np.float32)
    scores[:37] = np.linspace(-900, 20, 37, dtype=np.float32)
    wanted = np.exp((scores[:37].astype(np.float64) - 20) * 0.125)
    peak, total = exponentials(scores, 37, np.float32(0.125))
    assert float(peak) == 2.5
    assert abs(total / wanted.sum() - 1) < 1e-6
    np.testing.assert_allclose(scores[:37], wanted, rtol=1e-5, atol=2e-38)
    np.testing.assert_allclose(scores[30:37], wanted[30:], rtol=2e-6)
