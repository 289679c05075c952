"""Loads the pocket model as the engine does and puts it through every suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from engine.core.offline import OfflineEngine
from engine.evaluation.cases import Suite
from engine.evaluation.chat import ChatModel
from engine.evaluation.classifier_baseline import ClassifierBaseline
from engine.evaluation.held_out import HeldOut
from engine.evaluation.run import Evaluation, Result
from engine.evaluation.text_only import TOKENS, text_only
from engine.layers.modes import Quantization
from engine.weights.loader import load


def evaluate_model(
    folder: Path, suites: Iterable[Suite], held_out: HeldOut, quantization: Quantization, limit: int | None = None
) -> Iterator[Result]:
    """Yields a result for each suite, for answers that loop, and for text without a picture (always in fp32), as soon as it is known.

    `quantization` "none" computes in fp32. Raises ModelError for a folder that can't be loaded.
    """
    model = load(folder, exact=quantization == "none", quantize=quantization)
    evaluation = Evaluation(ChatModel(OfflineEngine(model), model.card.generation), ClassifierBaseline(folder), held_out, limit)
    yield from map(evaluation.run, suites)
    yield evaluation.loop_result()
    reference = load(folder, torch.device("cpu"), exact=True)
    generation = reference.card.generation.model_copy(update={"max_tokens": TOKENS})
    yield text_only(ChatModel(OfflineEngine(reference), generation), folder, limit)
