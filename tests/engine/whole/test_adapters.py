"""Several LoRA adapters by name in one engine: in company each asker gets what a model with that one adapter merged would answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from engine.core.build import build_engine
from engine.core.offline import OfflineEngine
from engine.errors import RequestError
from engine.models.llama.llama import Llama
from engine.request import Request
from engine.weights.adapters import attach_adapters
from tests.engine.adapters import MERGED, adapter_folder, base_weights
from tests.engine.core.requests import QUESTIONS, Ids, Listener, asked, events, text
from tests.engine.tiny import CONFIG, TinyModel, tiny_tokenizer

NAMES = ("", *MERGED)


def language(adapter: str = "") -> Llama:
    made = Llama(CONFIG)
    made.load_weights({**base_weights(), **(MERGED[adapter]() if adapter else {})})
    return made.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    made = TinyModel(language_model=language(), tokenizer=tiny_tokenizer(Ids))
    attach_adapters(made.language_model, {name: adapter_folder(tmp_path_factory.mktemp(name), name) for name in MERGED})
    return made


@cache
def merged_engine(adapter: str) -> TinyModel:
    return TinyModel(language_model=language(adapter), tokenizer=tiny_tokenizer(Ids))


def with_adapter(request: Request, adapter: str) -> Request:
    return replace(request, adapter=adapter)


def run_together(model: TinyModel, asks: Sequence[Request]) -> list[str]:
    """They join one a step: prompts are read while others write."""
    engine = build_engine(model, rows=12)
    heard = []
    for ask in asks:
        heard.append(Listener(ask).join(engine))
        engine.step()
    while engine.step():
        pass
    return [listener.text for listener in heard]


def test_each_gets_the_answer_of_its_own_adapter(model: TinyModel) -> None:
    """The same prompts for all, greedy and by beams: what one adapter's prompt left in the cache is not another's."""
    kinds = (asked(*QUESTIONS[1], max_tokens=8), asked(*QUESTIONS[4], max_tokens=8), asked(*QUESTIONS[0], max_tokens=6, num_beams=3))
    asks = [with_adapter(kind, name) for kind in kinds for name in NAMES] * 2
    answers = run_together(model, asks)
    for ask, answer in zip(asks, answers, strict=True):
        assert answer == text(events(merged_engine(ask.adapter), replace(ask, adapter="")))
    assert len(set(answers)) == len(kinds) * len(NAMES)
    assert model.encoded == 1  # the picture's encoding is the same for all


def test_an_adapter_that_is_not_there_is_refused(model: TinyModel) -> None:
    with pytest.raises(RequestError, match="no adapter 'other'"):
        list(OfflineEngine(model).generate(with_adapter(asked(), "other")))
