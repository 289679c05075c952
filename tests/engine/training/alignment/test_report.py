"""The curve of a run: small losses, in which names are learned, are seen beside the first ones; marks are round numbers."""

from __future__ import annotations

import re

import pytest

from engine.training.alignment.checkpoint import RunState
from engine.training.alignment.report import HEIGHT, MARGIN, curve, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0025, 6.8, [0.01, 0.1, 1]), (0.4, 40, [1, 3, 10, 30]), (1.1, 6, [1.1, 6]), (0.9, 6, [1, 2, 5]), (1.3, 1.4, [1.3, 1.4])],
)
def test_marks_are_a_few_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_a_tenth_takes_as_much_height_wherever_it_is() -> None:
    drawn = curve(RunState(losses=[10.0, 1.0, 0.1, 0.0]))  # a loss may be 0 in fp32
    heights = [float(point.split(",")[1]) for point in re.findall(r'class="loss" points="([^"]*)"', drawn)[0].split()]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.2)
    assert (heights[0], heights[-1]) == (MARGIN, HEIGHT - MARGIN)
    assert "held-out" not in drawn


def test_losses_that_do_not_move_are_a_line() -> None:
    assert "<polyline" in curve(RunState(losses=[2.0, 2.0], held_out={0: 2.0}))
    assert "No step" in curve(RunState())
