"""Builds an engine around a model: the fastest decode step its device can run, a KV pool, the cache of picture embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.core.engine import Engine
from engine.images.embedding_cache import EmbeddingCache
from engine.metrics import Metrics
from engine.models.base import VisionLanguageModel
from engine.runner.kv_cache_size import PICTURES, Capacity, capacity_for, ladder
from engine.runner.select_step import choose_step


def build_engine(
    model: VisionLanguageModel,
    *,
    rows: int | None = None,
    tokens: int | None = None,
    memory: int | None = None,
    pictures: Path | None = None,
    capacity: Capacity | None = None,
    capability: tuple[int, int] | None = None,
    metrics: Metrics | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Engine:
    """An engine around `model`, ready to be stepped.

    `rows`, `tokens` and `memory` are as in `capacity_for`, unless `capacity` says it all; `pictures` is a folder that keeps encoded
    pictures over restarts. With `capability` it computes as a GPU of that compute capability would.
    """
    step = choose_step(model.language_model, capability, progress)
    capacity = capacity or capacity_for(model, step.compact, rows, tokens, memory)
    engine = Engine(model, step, capacity, EmbeddingCache(model, pictures), metrics)
    if model.language_model.device.type == "cuda":
        engine.runner.capture(ladder(capacity.rows), progress, prompts=capacity.roomy)
        if capacity.roomy:
            model.capture(PICTURES)
            progress(f"vision encoder captured for up to {max(PICTURES)} pictures")
    return engine
