"""How each parameter of the language model comes into a ready folder: copied, Vicuna's delta added, or a checkpoint's adapters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.layers.modes import Quantization
from engine.layers.quantization import Slot, mode_of, quantize, quantized_slots
from engine.models.llama.config import LlamaConfig
from engine.weights.checkpoint import ALPHA, Kind, Trained, check_trained, merge_lora, trained_language
from engine.weights.merging import HubLlama, check_alone, check_llama2, check_pair, language_shapes, merge
from engine.weights.shards import Conversion
from engine.weights.stored_tensors import StoredTensor


@dataclass(frozen=True)
class Language:
    """The language model of an import: a base, and a delta to it or what a checkpoint trained of it."""

    base: HubLlama
    delta: HubLlama | None
    trained: Trained

    @property
    def config(self) -> LlamaConfig:
        return (self.delta or self.base).config


def check_language(kind: Kind, base: HubLlama, delta: HubLlama | None, checkpoint: Path) -> Language:
    """Raises WeightsError that names the folder or file that does not belong to the others."""
    if kind != "minigpt4":
        check_llama2(base, delta)
    elif delta:
        check_pair(base, delta)
    else:
        check_alone(base)
    language = Language(base, delta, trained_language(checkpoint))
    check_trained(checkpoint, language.trained, language_shapes(language.config))
    return language


def language_conversions(language: Language, quantization: Quantization) -> list[Conversion]:
    """How to make each parameter, in fp16 or quantised."""
    return [conversion(name, shape, language, quantization) for name, shape in language_shapes(language.config).items()]


def conversion(name: str, shape: tuple[int, ...], language: Language, quantization: Quantization) -> Conversion:
    origins, combine = recipe(name, language)

    def weight() -> Tensor:
        return combine(*(origin.read() for origin in origins)).to(torch.float16)

    mode = mode_of(name, shape[-1], quantization)
    if mode != "none":
        slots = quantized_slots(name, shape, mode)
        return Conversion(slots, lambda: dict(zip(slots, quantize(weight(), mode), strict=True)), origins)
    return Conversion({name: Slot(torch.float16, shape)}, lambda: {name: weight()}, origins)


def recipe(name: str, language: Language) -> tuple[tuple[StoredTensor, ...], Callable[..., Tensor]]:
    """The stored tensors that a parameter is made of, and how."""
    own = language.trained.weights.get(name, language.base.tensors[name])
    if language.delta:
        return (own, language.delta.tensors[name]), merge
    if name in language.trained.adapters:
        a, b = language.trained.adapters[name]
        return (own, a, b), lambda weight, a, b: merge_lora(weight, a, b, ALPHA / len(a))
    return (own,), lambda weight: weight
