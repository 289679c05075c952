"""Puts an engine together around a model: the fastest decode step its device can take, a pool, the picture cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.batching import BatchEngine
from engine.capacity import LADDER, PICTURES, capacity_for
from engine.devices import abilities
from engine.kernels.cpu.building import build
from engine.kernels.gpu.availability import build_step
from engine.kernels.plain import PlainStep
from engine.metrics import Metrics
from engine.models.base import VisionLanguageModel
from engine.models.llama import Llama
from engine.picture_cache import PictureCache
from engine.runner import Step


def assemble(
    model: VisionLanguageModel,
    *,
    rows: int | None = None,
    tokens: int | None = None,
    pictures: Path | None = None,
    capability: tuple[int, int] | None = None,
    metrics: Metrics | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> BatchEngine:
    """`rows` and `tokens` as in `capacity_for`; `pictures` is a folder that keeps encoded pictures over restarts.

    `capability` has it compute as a card of that compute capability would.
    """
    step = choose_step(model.language, capability, progress)
    engine = BatchEngine(model, step, capacity_for(model, rows, tokens), PictureCache(model, pictures), metrics)
    if model.language.device.type == "cuda":
        sizes = [size for size in LADDER if size <= engine.rows]
        engine.runner.capture(sizes, progress)
        model.capture(PICTURES)
        progress(f"eye captured for up to {max(PICTURES)} pictures")
    return engine


def choose_step(language: Llama, capability: tuple[int, int] | None = None, progress: Callable[[str], None] = lambda line: None) -> Step:
    """The fastest decode step that the model's weights and its device can take; compiled here if it has to be."""
    if language.device.type == "cpu":
        return build(language, progress) or PlainStep(language)
    return build_step(language, abilities(language.device, capability)) or PlainStep(language)
