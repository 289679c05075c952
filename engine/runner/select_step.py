"""Selects the decode step of a model: the fastest that its weights and its device allow."""

from __future__ import annotations

from engine.device.devices import abilities
from engine.kernels.cpu import support as cpu
from engine.kernels.decode_step import DecodeStep, Say
from engine.kernels.gpu import support as gpu
from engine.kernels.torch_step import TorchStep
from engine.models.llama.llama import Llama


def choose_step(language: Llama, capability: tuple[int, int] | None = None, say: Say = lambda line: None) -> DecodeStep:
    """The fastest decode step that the model's weights and its device can take; compiled here if it has to be. `say` hears of that.

    `capability`: compute as a card of this compute capability would; None = as the card that is here.
    """
    backend = cpu if language.device.type == "cpu" else gpu
    return backend.build_step(language, abilities(language.device, capability), say) or TorchStep(language)
