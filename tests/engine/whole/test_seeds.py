"""What a seed promises: in fp32 neither neighbours nor a cached prompt change more than one draw in 100,000, by the real pocket model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.core.build import build_engine
from engine.core.engine import Engine
from engine.core.sampler import Sampler, gumbels
from engine.core.sampling_params import SamplingParams, stream_key
from engine.core.startup import EngineOptions, load_engine
from engine.models.card import Generation
from engine.prompts.turn import Turn
from engine.request import Request
from engine.weights.loader import load
from tests.engine.core.requests import Listener

GREEDY = Generation(temperature=0.0, max_tokens=24)
ASKED = "Tell me a story about a goose and a fox who share one small boat on a wide river."
OTHERS = ("What is the capital of France, and what would you eat there?", "Count to ten.", "Hello!")
LIKELIEST = 100  # tokens a position that draws are tried over; the rest of the vocabulary comes to nothing
SEEDS = 4600


def about(question: str) -> Request:
    return Request((Turn("user", (question,)),), GREEDY)


def heard(engine: Engine, questions: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, list[str]]:
    """Scores [positions, vocabulary] of the first question's answer, and all answers."""
    found: list[Tensor] = []
    choose = Sampler.choose

    def noted(sampler: Sampler, scores: Tensor, ways: Sequence[SamplingParams]) -> Tensor:
        found.extend(scores[at].clone() for at, way in enumerate(ways) if way.slot == listeners[0].slot(engine))
        return choose(sampler, scores, ways)

    monkeypatch.setattr(Sampler, "choose", noted)
    listeners = [Asked(about(question)) for question in questions]
    for listener in listeners:
        listener.join(engine)
    while engine.step():
        pass
    return torch.stack(found)[: GREEDY.max_tokens], [listener.text for listener in listeners]


class Asked(Listener):
    def slot(self, engine: Engine) -> int:
        """Where this request's row is."""
        group = engine.groups.get(self.request.id)
        return group.slots[0] if group is not None and group.slots else -1


def drawn(scores: Tensor, ids: Tensor, seed: int) -> Tensor:
    """[runs, positions, likeliest] of these `ids` [positions, likeliest] → which of them each run draws at each position."""
    keys = torch.tensor([stream_key(seed, (0, position)) for position in range(len(ids))])
    return (scores + gumbels(keys, ids)).argmax(dim=-1)


@pytest.fixture(scope="module")
def engine(pocket_folder: Path) -> Engine:
    return build_engine(load(pocket_folder, torch.device("cpu"), exact=True), rows=6)


def test_company_and_cache_change_at_most_one_draw_in_100_000(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    cold, texts = heard(engine, [ASKED], monkeypatch)
    warm, _ = heard(engine, [ASKED], monkeypatch)
    crowded, others = heard(engine, [ASKED, *OTHERS], monkeypatch)
    assert others[0] == texts[0]
    assert len(cold) == len(warm) == len(crowded) == GREEDY.max_tokens
    assert not torch.equal(cold, crowded)  # else nothing is tried
    ids = cold.topk(LIKELIEST).indices
    scores, changed = torch.stack([run.gather(1, ids) for run in (cold, warm, crowded)]), torch.zeros(3)
    for seed in range(SEEDS):
        tokens = drawn(scores, ids, seed)
        changed += (tokens != tokens[0]).sum(dim=1)
    assert changed.max() <= SEEDS * GREEDY.max_tokens / 100_000


def test_seeded_answers_are_the_same_cold_warm_and_in_company(engine: Engine) -> None:
    """Beam sampling among them; each after the prompt was read and in the company of others."""
    ways = [
        Generation(temperature=1.2, top_p=0.95, max_tokens=10),
        Generation(temperature=1.0, max_tokens=10),
        Generation(temperature=0.8, top_k=50, repetition_penalty=1.2, max_tokens=10),
        Generation(temperature=1.5, num_beams=2, max_tokens=8),
    ]
    requests = [replace(about(OTHERS[0]), generation=made, seed=seed) for seed, made in enumerate(ways)]
    apart = []
    for request in requests:
        apart.append(listener := Listener(request))
        listener.join(engine)
        while engine.step():
            pass
    together = [Listener(request) for request in requests]
    for listener in together:
        listener.join(engine)
    while engine.step():
        pass
    assert [listener.text for listener in together] == [listener.text for listener in apart]
    assert len({listener.text for listener in apart}) == len(ways)


def test_float32_is_an_option_on_cpus(pocket_folder: Path, tmp_path: Path) -> None:
    loaded = load_engine(pocket_folder, EngineOptions(("cpu",), rows=1, tokens=512, exact=True), tmp_path / "seconds.json")
    assert isinstance(loaded.engine, Engine)
    assert {weight.dtype for weight in loaded.engine.model.language_model.parameters()} == {torch.float32}
