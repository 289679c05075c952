"""Each native type answers as transformers does, token for token: what a picture becomes, greedy and beams, follow-ups, words only."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.core.build import build_engine
from engine.core.offline import OfflineEngine
from engine.core.sequences import SampledGroup, SequenceGroup
from engine.evaluation.comparison import Comparison
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.models.card_reader import read_card
from engine.models.looks import Look
from engine.models.pretrained.eye_recorder import recording
from engine.models.pretrained.model import PROCESSED, PretrainedModel
from engine.models.pretrained.qwen import QwenModel
from engine.models.pretrained_card import stated_dtype
from engine.prompts.turn import Turn
from engine.request import AnswerToExplain, Done, Explained, Provisional, Request, TextDelta
from engine.runner.kv_cache_size import Capacity
from engine.weights.loader import load
from tests.engine.models.pretrained.explaining import (
    cells,
    coverage,
    eager,
    maps_of,
    of_each,
    received,
    row_by_row,
    soft_tokens,
    vision_of,
    with_rectangle,
)
from tests.engine.models.pretrained.repositories import FAMILIES, Repository, picture, store

NEW = 12  # tokens of an answer
PICTURES = [Picture(picture(96, 64), "first"), Picture(picture(64, 150, seed=3), "second")]
FIRST, SECOND = PICTURES
CONVERSATIONS = {
    "one picture": (Turn("user", (FIRST, "What is this?")),),
    "two pictures in a message": (Turn("user", (FIRST, SECOND, "What do they share?")),),
    "a follow-up": (Turn("user", (FIRST, "What is this?")), Turn("assistant", ("A dog.",)), Turn("user", (SECOND, "And this one?"))),
    "words only": (Turn("user", ("Hello",)),),
}
SWEPT = [pytest.param(size, marks=pytest.mark.sweep) for size in ((50, 190), (400, 37))]


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return store(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def decoder(repository: Repository) -> OfflineEngine:
    return OfflineEngine(load(repository.folder, torch.device("cpu"), exact=True))


def content(part: str | Picture) -> dict[str, str]:
    return {"type": "image"} if isinstance(part, Picture) else {"type": "text", "text": part}


def inputs(repository: Repository, turns: tuple[Turn, ...]) -> Any:
    """What transformers' own processor makes of a conversation."""
    shown = [part.image for turn in turns for part in turn.parts if isinstance(part, Picture)]
    messages = [
        {
            "role": turn.role,
            "content": [{"type": "image"} if isinstance(part, Picture) else {"type": "text", "text": part} for part in turn.parts],
        }
        for turn in turns
    ]
    template = repository.processor.chat_template
    text = repository.processor.tokenizer.apply_chat_template(
        messages, chat_template=template, add_generation_prompt=True, tokenize=False, enable_thinking=False
    )
    return repository.processor(text=text, images=[shown] if shown else None, return_tensors="pt")  # of one conversation


def theirs(repository: Repository, name: str, beams: int = 1) -> tuple[list[int], int]:
    """The tokens of transformers' answer, and the length of its prompt."""
    if (name, beams) not in repository.answers:
        given = inputs(repository, CONVERSATIONS[name])
        length, end = given["input_ids"].shape[1], repository.processor.tokenizer.eos_token_id
        ids = repository.model.generate(**given, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, num_beams=beams, eos_token_id=end)
        repository.answers[name, beams] = ids[0, length:].tolist(), length
    return repository.answers[name, beams]


def ours(decoder: OfflineEngine, turns: tuple[Turn, ...], beams: int) -> tuple[str, int]:
    text, length = "", 0
    generation = Generation(temperature=0.0, max_tokens=NEW, num_beams=beams)
    for event in decoder.generate(Request(turns, generation, min_tokens=NEW)):
        match event:
            case TextDelta(_, more):
                text += more
            case Provisional():
                pass
            case Done(prompt_tokens):
                length = prompt_tokens
    return text, length


def shown(text: str) -> str:
    """Without what an answer does not show: parts of characters, and space around it."""
    return "".join(text.replace("\ufffd", "").split())


def test_another_picture_moves_the_logits(repository: Repository) -> None:
    """Else every comparison below would pass with a model that is blind."""
    one, other = (inputs(repository, (Turn("user", (Picture(picture(96, 64, seed), "any"), "What is this?")),)) for seed in (0, 1))
    with torch.inference_mode():
        a, b = (repository.model(**given).logits[0, -1] for given in (one, other))
    assert (a - b).norm() > 0.01 * a.norm()


@pytest.mark.parametrize("beams", [1, 5])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_answers_equal_those_of_transformers(repository: Repository, decoder: OfflineEngine, name: str, beams: int) -> None:
    (text, length), (wanted, expected) = ours(decoder, CONVERSATIONS[name], beams), theirs(repository, name, beams)
    assert length == expected
    assert shown(text) == shown(repository.processor.tokenizer.decode(wanted, skip_special_tokens=True))


def test_a_processors_bytes_become_its_very_numbers(decoder: OfflineEngine) -> None:
    model = decoder.model
    if not isinstance(model, PretrainedModel) or isinstance(model, QwenModel):
        pytest.skip("no family that its makers' processor looks for")
    shown = picture(96, 64)
    shown.info[PROCESSED] = "a text chunk of a hostile PNG"
    [ready] = model.prepare([shown])
    assert model.prepare([ready]) == [ready]
    wanted, given = model.process(picture(96, 64)), ready.info[PROCESSED]
    assert given["pixel_values"].dtype == torch.uint8
    assert torch.equal(model.moved(given["pixel_values"]), wanted["pixel_values"])
    assert torch.equal(given["input_ids"], wanted["input_ids"])


def test_company_small_pieces_and_an_interruption_change_no_token(repository: Repository, decoder: OfflineEngine) -> None:
    """Prompts are read a block at a time, which cuts pictures; one is broken off and asked again, and finds its beginning known."""
    engine = build_engine(decoder.model, capacity=Capacity(rows=len(CONVERSATIONS), blocks=400, prompt_tokens=16))
    groups: dict[str, SequenceGroup] = {}

    def ask(name: str) -> None:
        request = Request(CONVERSATIONS[name], Generation(temperature=0.0, max_tokens=NEW), min_tokens=NEW)
        engine.add(request, lambda event: None)
        groups[name] = engine.groups[request.id]

    ask("one picture")
    while groups["one picture"].tokens_written < NEW // 2:
        engine.step()
    engine.abort(groups["one picture"].request.id)
    for name in CONVERSATIONS:
        ask(name)
        engine.step()
    while engine.step():
        pass
    written = {name: group.sequences[0].ids for name, group in groups.items() if isinstance(group, SampledGroup)}
    assert written == {name: theirs(repository, name)[0] for name in CONVERSATIONS}
    assert groups["one picture"].reused > 0


def test_the_first_tokens_are_theirs(repository: Repository, decoder: OfflineEngine) -> None:
    """By their ids, as `gander model check` prints them."""
    [turn] = CONVERSATIONS["two pictures in a message"]
    record = Comparison(decoder.model, PICTURES).ask("What do they share?", None)
    given = inputs(repository, (turn,))
    ids = repository.model.generate(**given, max_new_tokens=20, do_sample=False, eos_token_id=None)[0, given["input_ids"].shape[1] :]
    assert record.context_length == given["input_ids"].shape[1]
    assert record.greedy_token_ids == ids.tolist()[: len(record.greedy_token_ids)]


@torch.inference_mode()
def test_an_explanation_is_what_transformers_attends_to(repository: Repository, decoder: OfflineEngine) -> None:
    """The language model's attention from each word to the picture's tokens, and what the eye's own tokens receive."""
    asked, model = Request(CONVERSATIONS["one picture"], Generation(), explains=AnswerToExplain("A dog.")), decoder.model
    [found] = [event.explanation for event in decoder.generate(asked) if isinstance(event, Explained)]
    [shown], ids = found.pictures, torch.tensor([[token.id for token in found.answer[:-1]]])
    given, seen = inputs(repository, CONVERSATIONS["one picture"]), list[tuple[Any, torch.Tensor]]()
    added = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "mm_token_type_ids": torch.zeros_like(ids)}
    longer = {name: torch.cat((given[name], more.to(given[name])), 1) for name, more in added.items() if name in given}
    with eager(repository.model, seen):
        attention = torch.cat(repository.model(**{**given, **longer}, output_attentions=True).attentions).mean((0, 1))
    for at, token in enumerate(found.answer):
        expected = attention[at - len(found.answer), shown.start : shown.start + shown.tokens]
        torch.testing.assert_close(torch.tensor(token.attention[0]), expected, rtol=0, atol=1e-5)
    assert isinstance(model, PretrainedModel)
    expected = received(of_each(seen, vision_of(repository.model.model))[: model.eye_layers])
    with recording(model.vision) as recorder:
        model.look(FIRST.image)
    torch.testing.assert_close(recorder.received(model.eye_layers), expected, rtol=0, atol=1e-5)
    laid = row_by_row(repository.model.model, expected[0], (shown.rows, shown.columns))
    if laid is not None:
        torch.testing.assert_close(torch.tensor(shown.eye), laid, rtol=0, atol=1e-5)
    assert sum(shown.eye) == pytest.approx(1, abs=1e-3)
    assert len(shown.eye) == shown.rows * shown.columns == len(found.answer[0].looked[0])


@pytest.mark.parametrize("size", [(96, 64), *SWEPT])
@torch.inference_mode()
def test_a_token_stands_where_it_sees(decoder: OfflineEngine, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no patch attends to another, a rectangle changes just the tokens that stand on it: cropped, tiled, padded or merged."""
    model = decoder.model
    assert isinstance(model, PretrainedModel)
    plain, marked = with_rectangle(size)
    before, after = (soft_tokens(model, each, monkeypatch) for each in (plain, marked))
    changed = (before != after).any(1)
    maps = maps_of(model, marked)
    inside, near = (coverage(maps, cells(maps, spread=spread), len(changed)) for spread in (False, True))
    assert changed[inside > 0.3].all()
    assert not changed[near < 0.01].any()
    assert (inside > 0.3).any()
    assert (near < 0.01).any()


def test_detail_decides_on_tiles_and_a_cpu_looks_at_a_picture_as_a_whole(repository: Repository) -> None:
    kind, cpu, shown = repository.model.config.model_type, torch.device("cpu"), [picture(200, 120)]
    low, normal, exact = (
        load(repository.folder, cpu),
        load(repository.folder, cpu, detail="normal"),
        load(repository.folder, cpu, exact=True),
    )
    assert isinstance(low, PretrainedModel)
    assert isinstance(normal, PretrainedModel)
    [least], [more], [most] = (model.encode(shown) for model in (low, normal, exact))
    tiled = kind in ("idefics3", "internvl", "llava_onevision", "smolvlm")
    assert (len(least.embeddings) < len(more.embeddings)) == tiled
    assert len(more.embeddings) == len(most.embeddings)
    coarser = normal.at(normal.settle(Look("low")))
    assert low.settle(Look("high")) == Look()  # an operator's choice is the most there is
    assert len(coarser.encode(shown)[0].embeddings) == len(least.embeddings)
    chosen = ("low", "normal", None) if tiled or kind.startswith("qwen") else (None, None, None)
    assert tuple(getattr(model, "detail", None) for model in (low, normal, exact)) == chosen


def test_a_repository_is_a_ready_model_as_it_lies_there(repository: Repository) -> None:
    card = read_card(repository.folder)
    assert card.architecture == repository.model.config.model_type
    assert card.generation.temperature == 0  # its makers name no sampling


def test_the_makers_type_is_read_from_the_repository(repository: Repository) -> None:
    assert stated_dtype(repository.folder) == "float32"
