"""Matrices rounded with error feedback against those rounded to the nearest step, by what the layer gives."""

from __future__ import annotations

import pytest
import torch

from engine.errors import WeightsError
from engine.layers import error_feedback as subject
from engine.layers.error_feedback import round_with_feedback
from engine.layers.quantization import dequantize, quantize, quantized_slots

WIDTH = 192


def correlated(tokens: int, seed: int) -> torch.Tensor:
    """Inputs as a layer's are: a few directions hold most of them, and some features are much larger than others."""
    mixing = torch.randn(24, WIDTH, generator=torch.Generator().manual_seed(7)) * torch.linspace(3, 0.1, WIDTH)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tokens, 24, generator=generator) @ mixing + 0.1 * torch.randn(tokens, WIDTH, generator=generator)


def moments(x: torch.Tensor) -> torch.Tensor:
    return x.T @ x / len(x)


def weight(rows: int = 48) -> torch.Tensor:
    return torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(1)) * 0.02


def test_outputs_are_closer_than_by_rounding_to_the_nearest_for_inputs_not_seen_before() -> None:
    """Measured: 0.18 of the error."""
    exact, unseen = weight(), correlated(500, seed=2)
    fed_back = dequantize(*round_with_feedback(exact, moments(correlated(2000, seed=1))), torch.float32)
    nearest = dequantize(*quantize(exact, "4bit"), torch.float32)
    assert (unseen @ (fed_back - exact).T).norm() < 0.4 * (unseen @ (nearest - exact).T).norm()


def test_the_form_is_the_stored_one_and_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = moments(correlated(300, seed=1))
    stored = dict(zip(("w", "w_scale"), round_with_feedback(weight(), seen), strict=True))
    for name, slot in quantized_slots("w", (48, WIDTH), "4bit").items():
        assert (stored[name].dtype, tuple(stored[name].shape)) == (slot.dtype, slot.shape)
    monkeypatch.setattr(subject, "ROWS", 7 * WIDTH)  # rows are independent: how many are rounded at a time changes nothing
    again = dict(zip(("w", "w_scale"), round_with_feedback(weight(), seen), strict=True))
    assert torch.equal(again["w_scale"], stored["w_scale"])
    assert (again["w"] != stored["w"]).float().mean() < 0.01  # but the order in which a product's sums are added up


def test_weights_of_the_grid_stay_as_they_are() -> None:
    exact = (torch.arange(-8, 8).repeat(WIDTH // 16) * 0.5).expand(3, WIDTH).clone()
    assert torch.equal(dequantize(*round_with_feedback(exact, moments(correlated(300, seed=1))), torch.float32), exact)


def test_inputs_that_are_always_zero_and_zeros_do_no_harm() -> None:
    x, exact = correlated(300, seed=1), weight()
    x[:, 5:40] = 0
    exact[:, :64] = 0
    restored = dequantize(*round_with_feedback(exact, moments(x)), torch.float32)
    assert restored[:, :64].eq(0).all()
    assert (restored - exact).norm() < 0.3 * exact.norm()
    assert dequantize(*round_with_feedback(exact, torch.zeros(WIDTH, WIDTH)), torch.float32).isfinite().all()


def test_inputs_that_are_not_finite_are_refused() -> None:
    with pytest.raises(WeightsError, match="not finite"):
        round_with_feedback(weight(), torch.full((WIDTH, WIDTH), torch.nan))
