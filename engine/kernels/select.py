"""Which decode step a model gets: the fastest that its weights and its device can take."""

from __future__ import annotations

from collections.abc import Callable

from engine.device.devices import abilities
from engine.kernels.cpu.support import build
from engine.kernels.decode_step import DecodeStep
from engine.kernels.gpu.support import build_step
from engine.kernels.torch_step import TorchStep
from engine.models.llama.llama import Llama


def choose_step(
    language: Llama, capability: tuple[int, int] | None = None, progress: Callable[[str], None] = lambda line: None
) -> DecodeStep:
    """The fastest decode step that the model's weights and its device can take; compiled here if it has to be."""
    if language.device.type == "cpu":
        return build(language, progress) or TorchStep(language)
    return build_step(language, abilities(language.device, capability)) or TorchStep(language)
