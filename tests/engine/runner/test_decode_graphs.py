"""What a captured decode step does between captures, with a stand-in for CUDA's graphs that computes anew; real graphs: test_cuda.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.core.build import build_engine
from engine.core.engine import Engine
from engine.kernels.decode_step import StepRows
from engine.kv_cache.block_pool import BLOCK
from engine.runner import model_runner
from tests.engine.core.requests import QUESTIONS, asked, run
from tests.engine.tiny import TinyModel

Outputs = tuple[Tensor, StepRows]


class Again:
    """Computes in place of a replay, into the outputs that the first time made."""

    def __init__(self, work: Callable[[], Outputs]) -> None:
        self.work, self.outputs = work, work()

    def replay(self) -> None:
        self.outputs[0].copy_(self.work()[0])

    def pool(self) -> None:
        """There is no memory to share."""


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    def capture(work: Callable[[], Outputs], device: torch.device, pool: object) -> tuple[Again, Outputs]:
        graph = Again(work)
        return graph, graph.outputs

    monkeypatch.setattr(model_runner, "capture", capture)


def small_engine() -> Engine:
    return build_engine(TinyModel(), rows=12, tokens=6000)


def test_answers_chosen_in_the_graph_are_those_chosen_from_its_logits(graphs: None, monkeypatch: pytest.MonkeyPatch) -> None:
    mix = [*(asked(*turns) for turns in QUESTIONS[:4]), replace(asked(), min_tokens=9), replace(asked(repetition_penalty=1.3), n=2)]
    monkeypatch.setattr(model_runner, "SHORT", 112)
    captured, plain = small_engine(), small_engine()
    captured.runner.capture([1, 4, 12], progress=lambda line: None, prompts=False)
    assert {blocks for blocks, _ in captured.runner.graphs} == {7, -(-600 // BLOCK)}
    assert [listener.text for listener in run(captured, *mix)] == [listener.text for listener in run(plain, *mix)]


@torch.inference_mode()
def test_an_end_is_barred_until_the_row_has_its_least_tokens(graphs: None) -> None:
    engine = small_engine()
    runner, (end,) = engine.runner, engine.model.tokenizer.eos_ids
    logits = torch.zeros(2, 258)
    logits[:, end], logits[:, 7] = 2, 1
    runner.bind([0, 1], [[1], [2]], 5, min_tokens=3)  # its first token comes with the prompt
    chosen = [runner.choose_likeliest(logits.clone(), torch.tensor([0, 1]), torch.tensor([5, length]).int()).tolist() for length in (6, 7)]
    assert chosen == [[7, 7], [7, end]]
    assert runner.last[:2].tolist() == [7, end]
