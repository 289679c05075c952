"""Processors against transformers', and draws against the distribution they should have."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from engine.core.sampler import Sampler, candidates, gumbels, log_probabilities
from engine.core.sampling_params import SamplingParams, stream_key
from engine.models.card import Generation

VOCABULARY = 50
generations = st.builds(
    Generation,
    temperature=st.floats(0.1, 2.0),
    top_k=st.integers(0, 60),
    top_p=st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.7]),
)


def scores(seed: int, rows: int = 3) -> torch.Tensor:
    return torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(seed)) * 3


def warpers(generation: Generation, keep: int) -> Any:
    theirs: Any = LogitsProcessorList([TemperatureLogitsWarper(generation.temperature)])
    if generation.top_k:
        theirs.append(TopKLogitsWarper(generation.top_k, min_tokens_to_keep=keep))
    if generation.top_p < 1:
        theirs.append(TopPLogitsWarper(generation.top_p, min_tokens_to_keep=keep))
    return theirs


@settings(deadline=None)
@given(seed=st.integers(0, 99), each=st.lists(generations, min_size=1, max_size=4), keep=st.sampled_from([1, 2, 3]))
def test_every_row_is_warped_as_transformers_would(seed: int, each: list[Generation], keep: int) -> None:
    given_scores = scores(seed, len(each))
    warped, ids = candidates(given_scores, each, keep)
    ours = torch.full_like(given_scores, -torch.inf).scatter(1, ids.expand_as(warped), warped)
    theirs = [warpers(made, keep)(torch.empty(1, 0, dtype=torch.long), row[None]) for made, row in zip(each, given_scores, strict=True)]
    torch.testing.assert_close(ours, torch.cat(theirs))


@settings(deadline=None)
@given(seed=st.integers(0, 99), each=st.lists(generations, min_size=3, max_size=3), written=st.lists(st.integers(0, 49), max_size=6))
def test_processors_are_transformers(seed: int, each: list[Generation], written: list[int]) -> None:
    """A third row is in company of another penalty, and may not end yet."""
    sampler = Sampler(5, VOCABULARY, [7, 9], torch.device("cpu"))
    params = [SamplingParams(slot, made, ends_barred=slot == 2) for slot, made in zip((4, 0, 2), each, strict=True)]
    for token in written:
        sampler.note(torch.tensor([token, (token + 1) % 50, token]), params)
    ours = sampler.process(scores(seed), params)
    for row, wanted in enumerate(params):
        seen = torch.tensor([[(token + (row == 1)) % 50 for token in written]], dtype=torch.long)
        theirs: Any = LogitsProcessorList()
        if wanted.generation.repetition_penalty != 1 and written:
            theirs.append(RepetitionPenaltyLogitsProcessor(wanted.generation.repetition_penalty))
        if wanted.ends_barred:
            theirs.append(MinNewTokensLengthLogitsProcessor(0, 100, [7, 9]))
        torch.testing.assert_close(ours[row], theirs(seen, scores(seed)[row : row + 1].clone())[0])


def test_a_slot_forgets_what_its_last_row_wrote() -> None:
    sampler = Sampler(1, VOCABULARY, [7], torch.device("cpu"))
    params = [SamplingParams(0, Generation(repetition_penalty=2.0))]
    sampler.note(torch.tensor([3]), params)
    assert not torch.equal(sampler.process(scores(0, 1), params), scores(0, 1))
    sampler.begin(0)
    assert torch.equal(sampler.process(scores(0, 1), params), scores(0, 1))


def test_a_beams_past_goes_with_it() -> None:
    sampler = Sampler(2, VOCABULARY, [7], torch.device("cpu"))
    params = [SamplingParams(slot, Generation(repetition_penalty=2.0)) for slot in (0, 1)]
    sampler.note(torch.tensor([3, 4]), params)
    sampler.note(torch.tensor([5, 6]), params, parents=[1, 1])
    assert [row.nonzero().flatten().tolist() for row in sampler.seen] == [[4, 5], [4, 6]]


@pytest.mark.parametrize(
    "made", [Generation(), Generation(temperature=0.7, top_k=8), Generation(top_p=0.8), Generation(top_k=5, top_p=0.9)]
)
def test_choices_follow_the_distribution(made: Generation) -> None:
    """Chi-square over 20,000 draws of one row, each at its own position."""
    row, draws = scores(11, 1) / 2, 20_000
    expected = warpers(made, 1)(torch.empty(1, 0, dtype=torch.long), row).softmax(dim=-1)[0].double()
    sampler = Sampler(1, VOCABULARY, [7], torch.device("cpu"))
    params = [SamplingParams(0, made, key=stream_key(5, (0, position))) for position in range(draws)]
    chosen = sampler.choose(row.expand(draws, -1), params)
    counts = chosen.bincount(minlength=VOCABULARY)
    assert not counts[expected == 0].any()
    likely = expected * draws >= 5  # what the test holds for; the rest is one class
    observed = torch.cat((counts[likely], counts[~likely].sum()[None])).double()
    wanted = torch.cat((expected[likely], expected[~likely].sum()[None])) * draws
    kept = wanted > 0
    statistic, freedom = float(((observed - wanted)[kept] ** 2 / wanted[kept]).sum()), int(kept.sum()) - 1
    spread = 2 / (9 * freedom)
    assert statistic < freedom * (1 - spread + 3.09 * spread**0.5) ** 3  # p = 0.001 (Wilson and Hilferty 1931)


def test_greedy_and_sampled_rows_share_a_batch() -> None:
    sampler = Sampler(2, VOCABULARY, [7], torch.device("cpu"))
    given_scores = scores(5, 2)
    chosen = []
    for position in range(40):
        params = [
            SamplingParams(0, Generation(temperature=0.0)),
            SamplingParams(1, Generation(temperature=2.0), key=stream_key(1, (0, position))),
        ]
        chosen.append(sampler.choose(given_scores, params).tolist())
    assert {greedy for greedy, _ in chosen} == {int(given_scores[0].argmax())}
    assert len({drawn for _, drawn in chosen}) > 5


def test_what_is_impossible_is_never_drawn() -> None:
    """Not even where the only token left drew the smallest number that there is."""
    scores = torch.full((2000, 4), -torch.inf)
    scores[:, 2] = -50.0
    keys = torch.tensor([stream_key(0, (row,)) for row in range(2000)])
    noise = gumbels(keys, torch.arange(4)[None])
    assert noise.isfinite().all()
    assert (scores + noise).argmax(dim=-1).eq(2).all()


def test_random_numbers_depend_on_seed_choice_position_and_token_alone() -> None:
    ids, keys = torch.arange(50)[None], torch.tensor([stream_key(1, (2, 3)), stream_key(2, (2, 3)), stream_key(1, (2, 4))])
    numbers = gumbels(keys, ids)
    assert torch.equal(gumbels(keys[1:], ids)[0], numbers[1])
    assert torch.equal(gumbels(keys, ids.flip(1).expand(3, -1)).flip(1), numbers)
    assert len(set(numbers.flatten().tolist())) == numbers.numel()


def test_random_numbers_are_the_same_on_every_machine() -> None:
    """SplitMix64's own: the streams that begin at 0 and at 1234567, of which the published numbers are known."""
    golden = 0x9E3779B97F4A7C15
    published = {0: 0xE220A8397B1DCDAF, 1234567: 6457827717110365317}
    for start, number in published.items():
        key = (start + golden) - (1 << 64)
        expected = -math.log(-math.log1p(-((number >> 1) / 2**63)))
        assert float(gumbels(torch.tensor([key]), torch.tensor([[0]]))) == pytest.approx(expected, rel=1e-5)


def test_log_probabilities_are_those_at_the_rows_temperature() -> None:
    given_scores = scores(2, 2)
    found = log_probabilities(
        given_scores, [SamplingParams(0, Generation(temperature=2.0)), SamplingParams(1, Generation(temperature=0.0))]
    )
    torch.testing.assert_close(found[0], (given_scores[0] / 2).log_softmax(-1))
    torch.testing.assert_close(found[1], given_scores[1].log_softmax(-1))


@pytest.mark.parametrize("made", [Generation(), Generation(top_k=5), Generation(temperature=0.0), Generation(top_p=0.5)])
def test_a_row_that_is_no_distribution_hurts_no_other(made: Generation) -> None:
    """An overflow in fp16 makes one row's scores NaN; an index out of bounds would be the end of a GPU's process."""
    params = [SamplingParams(0, made, key=5), SamplingParams(1, made, key=5)]
    healthy = scores(4, 1)
    alone = Sampler(2, VOCABULARY, [7], torch.device("cpu")).choose(healthy, params[1:])
    both = torch.cat((torch.full_like(healthy, torch.nan), healthy))
    chosen = Sampler(2, VOCABULARY, [7], torch.device("cpu")).choose(both, params)
    assert 0 <= int(chosen[0]) < VOCABULARY
    assert chosen[1] == alone[0]
