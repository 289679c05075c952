"""Answers that keep to a JSON schema, whatever the model would rather say, and change nothing for those beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from engine.core.build import build_engine
from engine.core.sampler import Sampler
from engine.core.sampling_params import SamplingParams
from engine.errors import RequestError
from engine.models.card import Generation
from engine.prompts.turn import Turn
from engine.request import ChoiceFinished, Request, TextDelta
from engine.weights.loader import load
from tests.engine.core.requests import Listener, asked, run
from tests.engine.tiny import TinyModel

ANIMAL = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"enum": ["goose", "###", "é下"]}, "flies": {"type": "boolean"}, "eggs": {"enum": [1, 22, 333]}},
        "required": ["name", "flies", "eggs"],
        "additionalProperties": False,
    }
)

HI = Turn("user", ("Hi",))


def texts(listener: Listener) -> list[str]:
    deltas = [event for event in listener.events if isinstance(event, TextDelta)]
    return ["".join(delta.text for delta in deltas if delta.choice == choice) for choice in range(listener.request.n)]


@settings(max_examples=10, deadline=None)
@given(seed=some.integers(0, 9), temperature=some.sampled_from([0.0, 1.0, 2.0]), choices=some.integers(1, 3))
def test_every_answer_keeps_to_the_schema(seed: int, temperature: float, choices: int) -> None:
    """Though the model, of random weights, would not; and the one beside it says what it says alone."""
    request = replace(asked(HI, temperature=temperature, max_tokens=80), schema=ANIMAL, seed=seed, n=choices, min_tokens=70, stop=("###!",))
    beside = replace(asked(HI, temperature=1.0, max_tokens=30), seed=seed)
    kept, other = run(build_engine(TinyModel()), request, beside)
    (alone,) = run(build_engine(TinyModel()), beside)
    for text in texts(kept):
        animal = json.loads(text)
        assert (animal["name"] in ("goose", "###", "é下"), type(animal["flies"]), animal["eggs"] in (1, 22, 333)) == (True, bool, True)
    assert {event.reason for event in kept.events if isinstance(event, ChoiceFinished)} == {"stop"}
    assert other.text == alone.text


def test_what_is_cut_short_is_a_beginning() -> None:
    (listener,) = run(build_engine(TinyModel()), replace(asked(HI, max_tokens=12), schema=ANIMAL))
    assert listener.text.startswith('{"name": "')
    assert [event.reason for event in listener.events if isinstance(event, ChoiceFinished)] == ["length"]


def test_the_pocket_model_writes_an_object_with_its_own_vocabulary(pocket_folder: Path) -> None:
    made = load(pocket_folder, torch.device("cpu"))
    engine = build_engine(made, rows=2)
    turns = (Turn("user", ("Describe a goose as JSON.",)),)
    request = Request(turns, Generation(temperature=0.0, max_tokens=60), schema=ANIMAL)
    prepared = engine.preprocessor.prepare(request)
    assert prepared.matcher is not None  # compiled by the reader
    (listener,) = run(engine, prepared)
    assert json.loads(listener.text).keys() == {"name", "flies", "eggs"}


def test_only_what_a_mask_allows_may_come() -> None:
    sampler = Sampler(2, 40, [7], torch.device("cpu"))
    mask = (0b1001).to_bytes(4, "little") + (0b10).to_bytes(4, "little")
    found = sampler.process(torch.zeros(2, 40), [SamplingParams(0, Generation(), allowed=mask), SamplingParams(1, Generation())])
    assert found[0].isfinite().nonzero().flatten().tolist() == [0, 3, 33]
    assert found[1].isfinite().all()


def test_a_schema_that_is_none_is_refused_and_hurts_nobody() -> None:
    engine = build_engine(TinyModel())
    for schema in ('{"type": 5}', '{"$ref": "http://example.org/schema"}', '{"type": "string", "pattern": "("}'):
        with pytest.raises(RequestError, match="schema can't be kept to") as caught:
            engine.preprocessor.prepare(replace(asked(HI), schema=schema))
        assert caught.value.param == "response_format"
        refused, answered = run(engine, replace(asked(HI), schema=schema), asked(HI))
        assert isinstance(refused.events[0], RequestError)
        assert answered.done
