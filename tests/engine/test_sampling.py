"""Processors against transformers', and draws against the distribution they should have."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from engine.models.card import Generation
from engine.sampling import bar, choose, draw, draw_distinct, penalise, uniforms, warp


def scores(seed: int, rows: int = 3) -> torch.Tensor:
    return torch.randn(rows, 50, generator=torch.Generator().manual_seed(seed)) * 3


@settings(deadline=None)
@given(
    seed=st.integers(0, 99),
    temperature=st.floats(0.1, 2.0),
    top_k=st.integers(0, 60),
    top_p=st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]),
    keep=st.sampled_from([1, 2, 3]),
)
def test_warping_is_transformers(seed: int, temperature: float, top_k: int, top_p: float, keep: int) -> None:
    theirs: Any = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k:
        theirs.append(TopKLogitsWarper(top_k, min_tokens_to_keep=keep))
    if top_p < 1:
        theirs.append(TopPLogitsWarper(top_p, min_tokens_to_keep=keep))
    ours = warp(scores(seed), Generation(temperature=temperature, top_k=top_k, top_p=top_p), keep)
    torch.testing.assert_close(ours, theirs(torch.empty(3, 0, dtype=torch.long), scores(seed)))


@settings(deadline=None)
@given(seed=st.integers(0, 99), penalty=st.floats(0.5, 2.0), length=st.integers(0, 9))
def test_repetition_penalty_is_transformers(seed: int, penalty: float, length: int) -> None:
    seen = torch.randint(50, (3, length), generator=torch.Generator().manual_seed(seed))
    theirs: Any = RepetitionPenaltyLogitsProcessor(penalty)
    expected = theirs(seen, scores(seed)) if length else scores(seed)
    torch.testing.assert_close(penalise(scores(seed), seen, penalty), expected)


def test_draws_follow_the_distribution() -> None:
    probabilities = torch.tensor([0.1, 0.0, 0.6, 0.3, 0.0])
    drawn = torch.tensor([draw(probabilities, uniforms(1, 0, position)[0]) for position in range(20_000)])
    torch.testing.assert_close(drawn.bincount(minlength=5) / 20_000, probabilities, atol=0.015, rtol=0)


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
def test_what_is_impossible_is_never_drawn(uniform: float) -> None:
    assert draw(torch.tensor([0.0, 0.3, 0.0, 0.7, 0.0]), uniform) in (1, 3)


def test_draws_without_replacement() -> None:
    probabilities = torch.tensor([0.5, 0.0, 0.25, 0.25])
    firsts = [draw_distinct(probabilities, uniforms(3, 0, position, 3)).tolist() for position in range(4000)]
    assert all(sorted(drawn) == [0, 2, 3] for drawn in firsts)
    assert sum(drawn[1] == 2 for drawn in firsts if drawn[0] == 0) / sum(drawn[0] == 0 for drawn in firsts) == pytest.approx(0.5, abs=0.05)


def test_uniforms_depend_on_seed_row_and_position_alone() -> None:
    assert uniforms(1, 2, 3) == uniforms(1, 2, 3) == uniforms(1, 2, 3, 4)[:1]
    different = [uniforms(*arguments)[0] for arguments in ((1, 2, 3), (2, 2, 3), (1, 3, 3), (1, 2, 4), (-1, 2, 3))]
    assert len(set(different)) == 5


def test_choose_is_greedy_at_temperature_zero() -> None:
    row = scores(5)[0]
    assert choose(row, Generation(temperature=0.0), 1, 0, 0) == int(row.argmax())


def test_barred_ids_are_impossible() -> None:
    barred = bar(scores(1), frozenset({4, 7}))
    assert torch.isinf(barred).sum(dim=1).tolist() == [2, 2, 2]
