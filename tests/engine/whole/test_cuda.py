"""The engine on real cards, with its graphs: what it says there is what it says on the CPU, and two cards say what one does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.core.build import build_engine
from engine.core.engine import Engine
from engine.core.startup import EngineOptions
from engine.device.async_copy import upload
from engine.models.llama.layer_split import allocate
from engine.runner.kv_cache_size import ladder
from tests.engine.core.requests import QUESTIONS, Ids, asked, make_end_likely, run
from tests.engine.core.test_startup import answer
from tests.engine.tiny import TinyModel, tiny_language, tiny_tokenizer
from tests.engine.weights.release_files import golden_sources, imported

CPU = torch.device("cpu")
CARDS = [torch.device("cuda", number) for number in range(torch.cuda.device_count())]

one_card = pytest.mark.skipif(not CARDS, reason="NOT TESTED: the engine's graphs on a GPU, for there is none here")
two_cards = pytest.mark.skipif(len(CARDS) < 2, reason="NOT TESTED: the engine's graphs over two GPUs, for there are no two here")

MIX = [
    *(asked(*turns) for turns in QUESTIONS),  # pictures, text, a follow-up, a prompt of some length
    *(asked(*turns, num_beams=beams) for turns in QUESTIONS[:4] for beams in (2, 4)),
    replace(asked(repetition_penalty=1.3), n=2),
    replace(asked(temperature=1.2, top_p=0.95), seed=7),
]


def tiny_on(devices: list[torch.device]) -> Engine:
    """In fp32, the layers spread over the devices."""
    language = tiny_language(3)
    model = TinyModel(language_model=language, tokenizer=tiny_tokenizer(Ids))
    make_end_likely(model)
    weights = {name: weight.clone() for name, weight in language.state_dict().items()}
    allocate(language, devices, (2,) if len(devices) == 1 else (1, 1))
    language.load_state_dict(weights)
    engine = build_engine(model, rows=12, tokens=6000)
    if devices != [CPU]:
        engine.runner.capture(ladder(12), progress=lambda line: None)  # in fp32 no kernel of ours is taken, hence no graph of itself
    return engine


def answers(engine: Engine) -> list[str]:
    """To the mix all at once, then again, when every prompt's beginning is known."""
    return [listener.text for _ in range(2) for listener in run(engine, *MIX)]


@one_card
def test_a_card_answers_a_mix_as_the_cpu_does() -> None:
    engine = tiny_on(CARDS[:1])
    assert engine.runner.graphs
    assert answers(engine) == answers(tiny_on([CPU]))


@one_card
def test_what_was_expanded_is_uploaded_too() -> None:
    wide = torch.arange(4)[None].expand(3, -1)
    assert torch.equal(upload(wide, CARDS[0]).cpu(), wide)


@two_cards
def test_two_cards_answer_a_mix_as_the_cpu_does() -> None:
    engine = tiny_on(CARDS[:2])
    assert len(next(iter(engine.runner.graphs.values())).graphs) == 2
    assert answers(engine) == answers(tiny_on([CPU]))


@two_cards
def test_a_folder_served_from_two_cards_gives_the_answer_of_one(tmp_path: Path) -> None:
    imported(golden_sources("v0"), tmp_path / "v0")
    texts = [answer(tmp_path / "v0", EngineOptions(names), tmp_path / "seconds.json") for names in (("cuda:0",), ("cuda:0", "cuda:1"))]
    assert texts == [("cuda:0", texts[0][1]), ("cuda:0, cuda:1", texts[0][1])]
