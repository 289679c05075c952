"""What company must not change: LoRA adapters are each asker's own, a seed gives its answer anywhere, and nobody waits for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.core.build import build_engine
from engine.images.decode import Picture
from engine.prompts.context import ContextBuilder
from engine.prompts.turn import Turn
from engine.request import ChoiceFinished, Request, TextDelta, TokenLogprob
from engine.runner.kv_cache_size import capacity_for
from tests.engine.core.requests import GREY, QUESTIONS, RED, Ids, Listener, asked, model, run
from tests.engine.tiny import TinyModel, tiny_language, tiny_tokenizer

PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


def in_company(made: TinyModel, asks: Sequence[Request], arrivals: Sequence[int], rows: int, chunk: int) -> list[Listener]:
    """Each joins at its step; prompts are read `chunk` tokens at a time."""
    engine = build_engine(made, capacity=replace(capacity_for(made, compact=False, rows=rows), prompt_tokens=chunk))
    heard = [Listener(request) for request in asks]
    at, busy = 0, True
    while busy or at <= max(arrivals):
        for listener, arrival in zip(heard, arrivals, strict=True):
            if arrival == at:
                listener.join(engine)
        busy = engine.step()
        at += 1
    return heard


@lru_cache
def with_lora() -> TinyModel:
    """Its LoRA adapters change what it says, and are meant for prompts with pictures."""
    generator = torch.Generator().manual_seed(5)
    made = TinyModel(language_model=tiny_language(3), tokenizer=tiny_tokenizer(Ids))
    for adapter in made.language_model.add_lora(rank=4):
        for weight in (adapter.a, adapter.b):
            weight.data.normal_(std=0.3, generator=generator)
    return made


@lru_cache
@torch.no_grad()
def read_anew(request: Request, lora: bool) -> str:
    """The greedy answer without an engine: the model reads all again for every token, with LoRA on or off."""
    made, ids = with_lora(), list[int]()
    builder = ContextBuilder(made)
    hidden = builder.embed(
        builder.build(request.turns, {picture.sha256: made.look(picture.image) for picture in (RED, GREY)}, request.generation.max_tokens)
    )[None]
    while len(ids) < request.generation.max_tokens and not made.tokenizer.eos_ids & set(ids):
        final = made.language_model(hidden, torch.arange(hidden.shape[1])[None], None, torch.ones(1, 1, 1) if lora else None)
        ids.append(int(made.language_model.logits(final[0, -1]).argmax()))
        hidden = torch.cat((hidden, made.language_model.embed(torch.tensor([ids[-1:]]))), dim=1)
    return made.tokenizer.decode([token for token in ids if token not in made.tokenizer.eos_ids])


GATED = [any(isinstance(part, Picture) for turn in turns for part in turn.parts) for turns in QUESTIONS]


def test_adapters_change_the_answer() -> None:
    assert {True, False} == set(GATED)
    for turns in QUESTIONS:
        assert read_anew(asked(*turns, max_tokens=8), True) != read_anew(asked(*turns, max_tokens=8), False)


@settings(max_examples=15, deadline=None, phases=PHASES)
@example(places=[0, 3], arrivals=[0, 12, 0, 0, 0, 0], rows=4, chunk=512)  # one after the other: the prompt's beginning is known
@example(places=[3, 0], arrivals=[0, 12, 0, 0, 0, 0], rows=4, chunk=512)
@given(
    places=st.lists(st.integers(0, len(QUESTIONS) - 1), min_size=2, max_size=6),
    arrivals=st.lists(st.integers(0, 12), min_size=6, max_size=6),
    rows=st.integers(1, 6),
    chunk=st.sampled_from([17, 64, 512]),
)
def test_adapters_are_on_for_pictures_and_off_for_text(places: list[int], arrivals: list[int], rows: int, chunk: int) -> None:
    asks = [asked(*QUESTIONS[place], max_tokens=8) for place in places]
    heard = in_company(with_lora(), asks, arrivals[: len(asks)], rows, chunk)
    for place, listener in zip(places, heard, strict=True):
        assert listener.text == read_anew(listener.request, GATED[place])


SEEDED = (
    replace(asked(temperature=1.2, top_p=0.95), seed=7),
    replace(asked(temperature=1.0, top_k=40, repetition_penalty=1.3), seed=1, n=3),
    replace(asked(Turn("user", ("hello there",)), temperature=1.0), seed=3, stop=(" 1",)),
    replace(asked(temperature=0.7), seed=4, logprobs=3),
    replace(asked(num_beams=3, temperature=1.5), seed=5),
    replace(asked(num_beams=2, temperature=1.0, top_k=5), seed=6, n=2, beam_tree=True),
)


@lru_cache
def alone(request: Request) -> Listener:
    return run(build_engine(model()), request)[0]


def unscored(events: Sequence[object]) -> list[object]:
    """Scores are the batch's own to the last bits; words are not."""
    return [
        replace(event, logprobs=())
        if isinstance(event, TextDelta)
        else replace(event, beams=tuple(node._replace(score=0.0, rank=None) for node in event.beams))
        if isinstance(event, ChoiceFinished)
        else event
        for event in events
    ]


def scored(listener: Listener) -> list[TokenLogprob]:
    return [token for event in listener.events if isinstance(event, TextDelta) for token in event.logprobs]


@settings(max_examples=15, deadline=None, phases=PHASES)
@given(
    asks=st.lists(st.sampled_from(SEEDED), min_size=2, max_size=6),
    arrivals=st.lists(st.integers(0, 12), min_size=6, max_size=6),
    rows=st.integers(3, 9),
    chunk=st.sampled_from([17, 64, 512]),
)
def test_a_seed_gives_the_same_in_any_company(asks: list[Request], arrivals: list[int], rows: int, chunk: int) -> None:
    for listener in in_company(model(), asks, arrivals[: len(asks)], rows, chunk):
        expected = alone(listener.request)
        assert unscored(listener.events) == unscored(expected.events)
        for ours, theirs in zip(scored(listener), scored(expected), strict=True):
            assert ours.text == theirs.text
            assert [other.text for other in ours.top] == [other.text for other in theirs.top]
            assert [ours.logprob, *(other.logprob for other in ours.top)] == pytest.approx(
                [theirs.logprob, *(other.logprob for other in theirs.top)], abs=1e-4, rel=1e-5
            )


def test_what_was_asked_with_a_seed_is_what_it_says() -> None:
    """So that the comparison above is of three answers, of a stop, of chances and of a tree."""
    _, three, stopped, _, _, two = (alone(request).events for request in SEEDED)
    assert len({text_of(three, choice) for choice in range(3)}) == 3
    assert ChoiceFinished(0, "stop") in stopped
    assert " 1" not in text_of(stopped, 0)
    assert scored(alone(SEEDED[3]))
    assert all(event.beams for event in two if isinstance(event, ChoiceFinished))


def text_of(events: Sequence[object], choice: int) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta) and event.choice == choice)


def test_who_talks_waits_for_no_more_than_one_picture_a_step() -> None:
    made = TinyModel()
    engine = build_engine(made)
    talking = Listener(replace(asked(Turn("user", ("Hi",)), max_tokens=40), min_tokens=40)).join(engine)
    while not talking.events:
        engine.step()
    shown = [Picture(Image.new("RGB", (8, 8), (30 * number, 0, 0)), f"{number:064x}") for number in range(5)]
    asks = [Listener(asked(Turn("user", (*pictures, "What?")), max_tokens=4)).join(engine) for pictures in (shown[:3], shown[3:])]
    seen = [0]
    while made.encoded < len(shown):
        engine.step()
        seen.append(made.encoded)
    assert seen == list(range(len(shown) + 1))
    assert not talking.done
    while engine.step():
        pass
    assert all(listener.done for listener in asks)
    assert engine.capacity.pictures > 1  # by whoever waits alone, several are seen at once
