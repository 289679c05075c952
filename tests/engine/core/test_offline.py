"""The decoder end to end on a tiny model, against transformers' `generate` on the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import LlamaConfig as OracleConfig
from transformers import LlamaForCausalLM

from engine.core.offline import OfflineEngine
from engine.errors import ContextError, GenerationError, RequestError
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.models.tokenizer import JsonTokenizer
from engine.prompts.context import ContextBuilder
from engine.prompts.turn import Turn
from engine.request import ChoiceFinished, Done, Event, Provisional, Request, TextDelta
from tests.engine.tiny import TinyModel, tiny_card, tiny_language, tiny_tokenizer

RED = Picture(Image.new("RGB", (9, 7), "red"), "a" * 64)
GREY = Picture(Image.new("RGB", (30, 20), "grey"), "b" * 64)
QUESTION = Turn("user", (RED, "What is it?"))


def asked(*turns: Turn, **changes: float | str) -> Request:
    generation = Generation.model_validate({"temperature": 0.0, "max_tokens": 24, **changes})
    return Request(turns or (QUESTION,), generation)


def events(model: TinyModel, request: Request, cancelled: Callable[[], bool] = lambda: False) -> list[Event]:
    return list(OfflineEngine(model).generate(request, cancelled))


def text(found: list[Event], choice: int = 0) -> str:
    return "".join(event.text for event in found if isinstance(event, TextDelta) and event.choice == choice)


class Ids(JsonTokenizer):
    """Shows tokens as numbers, so that equal texts are equal tokens."""

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))

    def spell(self, token: int, first: bool = False) -> tuple[str, bytes | None]:
        return str(token), str(token).encode()


def oracle(model: TinyModel) -> Any:
    """transformers' model with the tiny one's weights."""
    language = model.language_model
    theirs = LlamaForCausalLM(OracleConfig(**asdict(language.config)))
    state = {}
    for name, tensor in language.state_dict().items():
        stem, _, part = name.removesuffix(".weight").rpartition(".")
        cuts, names = {
            "qkv_proj": ([32, 16, 16], ["q_proj", "k_proj", "v_proj"]),
            "gate_up_proj": ([64, 64], ["gate_proj", "up_proj"]),
        }.get(part, ([len(tensor)], [part]))
        for piece, label in zip(tensor.split(cuts), names, strict=True):
            state[f"{stem}.{label}.weight".lstrip(".")] = piece
    theirs.load_state_dict(state)
    return theirs


def oracle_text(model: TinyModel, request: Request) -> str:
    builder = ContextBuilder(model)
    hidden = builder.embed(
        builder.build(request.turns, {picture.sha256: model.look(picture.image) for picture in (RED, GREY)}, request.generation.max_tokens)
    )[None]
    made = request.generation
    (eos,) = model.tokenizer.eos_ids
    ids = oracle(model).generate(
        inputs_embeds=hidden,
        attention_mask=torch.ones(hidden.shape[:2], dtype=torch.long),
        do_sample=False,
        num_beams=made.num_beams,
        repetition_penalty=made.repetition_penalty,
        length_penalty=made.length_penalty if made.num_beams > 1 else None,
        early_stopping=made.early_stopping if made.num_beams > 1 else None,
        max_new_tokens=made.max_tokens,
        min_new_tokens=min(request.min_tokens, made.max_tokens) or None,
        eos_token_id=eos,
        pad_token_id=eos,
    )
    return model.tokenizer.decode([token for token in ids[0].tolist() if token != eos])


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


def make_end_likely(model: TinyModel) -> None:
    """Likely enough that beams end at different lengths."""
    (eos,) = model.tokenizer.eos_ids
    head = model.language_model.lm_head.weight.data
    head[eos] = head[:64].sum(dim=0) / 4


def test_events_of_one_answer() -> None:
    found = events(TinyModel(), asked())
    assert isinstance(found[-2], ChoiceFinished)
    assert found[-2].reason == "length"
    assert found[-1] == Done(prompt_tokens=125, completion_tokens=24, dropped_messages=0)


def test_end_of_sequence_stops() -> None:
    model = TinyModel()
    first = first_token(model)
    model.tokenizer.eos_ids = frozenset({first})
    assert events(model, asked()) == [ChoiceFinished(0, "stop"), Done(125, 1, 0)]


def first_token(model: TinyModel) -> int:
    shown = events(TinyModel(tokenizer=tiny_tokenizer(Ids), language_model=model.language_model), asked(max_tokens=1))
    return int(text(shown))


def test_beams_show_the_best_so_far_and_give_the_text_once() -> None:
    found = events(TinyModel(), asked(num_beams=3))
    shown = [event.text for event in found if isinstance(event, Provisional)]
    deltas = [event.text for event in found if isinstance(event, TextDelta)]
    assert len(set(shown)) == len(shown) > 3
    assert len(deltas) == 1
    assert deltas[0][:4] == shown[-1][:4]


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
