"""Which decode step a model gets: the fastest that its weights and its device can take."""

from __future__ import annotations

from collections.abc import Callable

from engine.device.devices import abilities
from engine.kernels.cpu.building import build
from engine.kernels.gpu.availability import build_step
from engine.kernels.torch_step import PlainStep
from engine.models.llama.llama import Llama
from engine.runner.model_runner import Step


def choose_step(language: Llama, capability: tuple[int, int] | None = None, progress: Callable[[str], None] = lambda line: None) -> Step:
    """The fastest decode step that the model's weights and its device can take; compiled here if it has to be."""
    if language.device.type == "cpu":
        return build(language, progress) or PlainStep(language)
    return build_step(language, abilities(language.device, capability)) or PlainStep(language)
