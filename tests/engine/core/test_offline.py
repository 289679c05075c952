"""The decoder end to end on a tiny model, against transformers' `generate` on the same weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.core.offline import OfflineEngine
from engine.errors import ContextError, GenerationError
from engine.prompts.turn import Turn
from engine.request import ChoiceFinished, Done
from tests.engine.core.requests import GREY, QUESTION, RED, Ids, asked, events, text
from tests.engine.tiny import TinyModel, tiny_card, tiny_tokenizer


def test_events_of_one_answer() -> None:
    found = events(TinyModel(), asked())
    assert isinstance(found[-2], ChoiceFinished)
    assert found[-2].reason == "length"
    assert isinstance(found[-1], Done)
    assert replace(found[-1], sight=None) == Done(prompt_tokens=125, completion_tokens=24, dropped_messages=0)


def test_end_of_sequence_stops() -> None:
    model = TinyModel()
    first = first_token(model)
    model.tokenizer.eos_ids = frozenset({first})
    finished, done = events(model, asked())
    assert finished == ChoiceFinished(0, "stop")
    assert isinstance(done, Done)
    assert (done.prompt_tokens, done.completion_tokens, done.dropped_messages) == (125, 1, 0)


def first_token(model: TinyModel) -> int:
    shown = events(TinyModel(tokenizer=tiny_tokenizer(Ids), language_model=model.language_model), asked(max_tokens=1))
    return int(text(shown))


def test_a_seed_fixes_an_answer_whatever_its_company() -> None:
    model = TinyModel()
    request = replace(asked(temperature=1.5, top_k=40, top_p=0.95), seed=7)
    alone, three = events(model, request), events(model, replace(request, n=3))
    assert text(alone) == text(events(model, request)) == text(three)
    assert len({text(three, choice) for choice in range(3)}) == 3
    assert text(events(model, replace(request, seed=8))) != text(alone)


def test_without_a_seed_answers_differ() -> None:
    model, request = TinyModel(), asked(temperature=1.5)
    assert len({text(events(model, request)) for _ in range(4)}) > 1


@pytest.mark.parametrize("beams", [1, 3])
def test_a_stop_string_ends_the_answer_before_it(beams: int) -> None:
    model = TinyModel()
    whole = text(events(model, asked(num_beams=beams)))
    stop = whole[5:7]
    found = events(model, replace(asked(num_beams=beams), stop=(stop,)))
    assert stop not in text(found)
    assert ChoiceFinished(0, "stop") in found
    if beams == 1:
        assert text(found) == whole[: whole.index(stop)].rstrip()


@pytest.mark.parametrize("beams", [1, 2])
def test_cancelling_ends_before_the_next_step(beams: int) -> None:
    stopped = iter([False, False, False, True])  # asked before each step
    seen = events(TinyModel(), asked(num_beams=beams, max_tokens=20), lambda: next(stopped))
    assert 0 < len(seen) <= 4
    assert not any(isinstance(event, Done) for event in seen)
    assert events(TinyModel(), asked(), lambda: True) == []


def test_a_picture_is_encoded_once_and_seen() -> None:
    model = TinyModel()
    decoder = OfflineEngine(model)
    requests = [asked(Turn("user", (picture, picture, "And now?"))) for picture in (RED, GREY, RED)]
    answers = [text(list(decoder.generate(request, lambda: False))) for request in requests]
    assert model.encoded == 2
    assert answers[0] == answers[2] != answers[1]


def test_a_long_conversation_loses_its_oldest_text() -> None:
    model = TinyModel(card=tiny_card(context_length=600))
    turns = [QUESTION, Turn("assistant", ("A thing.",))]
    for number in range(12):
        turns += [Turn("user", (f"Question {number}, please?",)), Turn("assistant", (f"Answer {number}.",))]
    done = events(model, asked(*turns, Turn("user", ("Last?",))))[-1]
    assert isinstance(done, Done)
    assert done.prompt_tokens <= 450
    assert done.dropped_messages >= 10
    assert model.encoded == 1


def test_what_can_not_be_dropped_must_fit() -> None:
    with pytest.raises(ContextError, match="maximum context length is 600 tokens"):
        events(TinyModel(), asked(Turn("user", ("x" * 700,))))


def test_an_answer_never_outgrows_the_window() -> None:
    found = events(TinyModel(), asked(Turn("user", ("x" * 350,)), max_tokens=5000))
    assert isinstance(found[-1], Done)
    assert found[-1].prompt_tokens + found[-1].completion_tokens == 600


def test_too_little_memory_is_one_requests_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    model = TinyModel()
    decoder = OfflineEngine(model)
    with monkeypatch.context() as patch:
        patch.setattr(model.language_model, "logits", lambda hidden: torch.empty(10**15))
        with pytest.raises(GenerationError, match="fewer beams"):
            list(decoder.generate(asked(), lambda: False))
    assert isinstance(list(decoder.generate(asked(), lambda: False))[-1], Done)


def test_a_broken_device_is_not_hidden() -> None:
    model = TinyModel()
    model.language_model.lm_head.weight.data = torch.zeros(258, 5)
    with pytest.raises(RuntimeError, match="shapes"):
        list(OfflineEngine(model).generate(asked(), lambda: False))
