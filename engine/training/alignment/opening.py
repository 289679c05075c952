"""Loads a base to train: in the type that training computes in, and unquantised unless that is asked for."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from accelerate import Accelerator

from engine.bench.models import RELEASED, random_model
from engine.errors import ModelError
from engine.layers.modes import Quantization
from engine.models.base import VisionLanguageModel
from engine.models.card import FALLBACK
from engine.models.card_reader import read_card
from engine.models.minigpt4.config import Architecture
from engine.paths import model_folder
from engine.training.alignment.recipe import Precision
from engine.weights.loader import ARCHITECTURES, Load

DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def open_accelerator(precision: Precision, *, cpu: bool = False) -> Accelerator:
    return Accelerator(mixed_precision="no" if precision == "fp32" else precision, cpu=cpu or not torch.cuda.is_available())


def default_precision() -> Precision:
    """bf16 where a card can, fp16 with scaling on older ones, fp32 on a CPU."""
    if not torch.cuda.is_available():
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def open_base(
    name: str, device: torch.device, precision: Precision, quantize: Quantization = "none"
) -> tuple[VisionLanguageModel, Path | None]:
    """The model, and its folder; None for a release's shape with random weights (`random-7b`).

    Raises ModelError for a base that transformers computes, of which nothing can be trained here.
    """
    if name in RELEASED:
        return random_model(name, RELEASED[name], Architecture(), device, DTYPES[precision], quantize), None
    folder = model_folder(name)
    card = read_card(folder)
    if card.architecture == FALLBACK:
        raise ModelError(f"{card.name} is of type {card.version}, which transformers computes: nothing of it can be trained here.")
    load: Load = import_module(ARCHITECTURES[card.architecture]).load
    return load(folder, card.model_copy(update={"quantization": quantize}), device, DTYPES[precision]), folder
