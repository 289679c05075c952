"""Beam search and beam sampling do what transformers' do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from engine.errors import RequestError
from engine.request import Provisional, TextDelta
from tests.engine.core.requests import Ids, asked, events, make_end_likely, oracle_text, text
from tests.engine.tiny import TinyModel, tiny_language, tiny_tokenizer


@pytest.mark.filterwarnings("ignore:Passing `repetition_penalty` with `inputs_embeds`:UserWarning")  # which is what we do too
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    seed=st.integers(0, 1000),
    beams=st.sampled_from([1, 1, 2, 3, 5]),
    repetition=st.sampled_from([1.0, 1.0, 1.3, 0.8]),
    length=st.sampled_from([1.0, 0.0, 2.0, -1.0]),
    early=st.sampled_from([False, True, "never"]),
    max_tokens=st.sampled_from([1, 7, 24]),
    min_tokens=st.sampled_from([0, 0, 5]),
)
@torch.no_grad()
def test_greedy_and_beams_equal_transformers(
    seed: int, beams: int, repetition: float, length: float, early: bool | str, max_tokens: int, min_tokens: int
) -> None:
    model = TinyModel(language_model=tiny_language(seed), tokenizer=tiny_tokenizer(Ids))
    make_end_likely(model)
    request = asked(num_beams=beams, repetition_penalty=repetition, length_penalty=length, early_stopping=early, max_tokens=max_tokens)
    request = replace(request, min_tokens=min_tokens)
    assert text(events(model, request)) == oracle_text(model, request)


def test_beams_show_the_best_so_far_and_give_the_text_once() -> None:
    found = events(TinyModel(), asked(num_beams=3))
    shown = [event.text for event in found if isinstance(event, Provisional)]
    deltas = [event.text for event in found if isinstance(event, TextDelta)]
    assert len(set(shown)) == len(shown) > 3
    assert len(deltas) == 1
    assert deltas[0][:4] == shown[-1][:4]


def test_beam_sampling_is_seeded_and_not_beam_search() -> None:
    model = TinyModel()
    request = replace(asked(num_beams=3, temperature=2.0), seed=5)
    answers = [text(events(model, replace(request, seed=seed))) for seed in (5, 5, 6, 7)]
    assert answers[0] == answers[1]
    assert len({*answers, text(events(model, asked(num_beams=3)))}) > 2


def test_beam_sampling_with_fewer_tokens_possible_than_beams() -> None:
    request = replace(asked(num_beams=5, temperature=1.0, top_k=1, top_p=0.01), seed=1)
    assert text(events(TinyModel(), request))


def test_n_best_beams_are_different_and_no_more_than_the_beams() -> None:
    request = asked(num_beams=3)
    found = events(TinyModel(), replace(request, n=3))
    assert len({text(found, choice) for choice in range(3)}) == 3
    with pytest.raises(RequestError) as caught:
        events(TinyModel(), replace(request, n=4))
    assert caught.value.param == "n"
