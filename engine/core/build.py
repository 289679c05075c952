"""Puts an engine together around a model: the fastest decode step its device can take, a pool, the picture cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.core.engine import Engine
from engine.images.embedding_cache import EmbeddingCache
from engine.kernels.select import choose_step
from engine.metrics import Metrics
from engine.models.base import VisionLanguageModel
from engine.runner.memory_plan import PICTURES, capacity_for, ladder


def build_engine(
    model: VisionLanguageModel,
    *,
    rows: int | None = None,
    tokens: int | None = None,
    memory: int | None = None,
    pictures: Path | None = None,
    capability: tuple[int, int] | None = None,
    metrics: Metrics | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Engine:
    """`rows`, `tokens` and `memory` as in `capacity_for`; `pictures` is a folder that keeps encoded pictures over restarts.

    `capability` has it compute as a card of that compute capability would.
    """
    step = choose_step(model.language, capability, progress)
    engine = Engine(model, step, capacity_for(model, step.compact, rows, tokens, memory), EmbeddingCache(model, pictures), metrics)
    if model.language.device.type == "cuda":
        engine.runner.capture(ladder(engine.rows) if step.compact else [], progress, prompts=engine.capacity.roomy)
        if engine.capacity.roomy:
            model.capture(PICTURES)
            progress(f"vision encoder captured for up to {max(PICTURES)} pictures")
    return engine
