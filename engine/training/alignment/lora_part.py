"""A LoRA adapter on the language model as a trained part, for every family that we compute, on matrices of any form."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import nn

from engine.layers.trained_lora import TrainedLora
from engine.models.base import VisionLanguageModel
from engine.training.alignment.language_part import AdapterOptions, LanguagePart
from engine.weights.adapters import ADAPTER, PARTS, train_adapter, trained_modules
from engine.weights.peft_format import AdapterConfig, write_adapter


def lora_part(model: VisionLanguageModel, options: AdapterOptions) -> LanguagePart:
    """On all projections. Its export is a folder in peft's form inside the model's: there it is always on, and `--adapter` serves it
    beside the base."""
    config = AdapterConfig(r=options.rank, lora_alpha=options.alpha, target_modules=PARTS, base_model_name_or_path=model.card.name)
    layers = train_adapter(model.language_model, config)
    module = nn.ModuleDict({path.replace(".", "/"): layer for path, layer in layers.items()})
    return LanguagePart("lora", module, partial(export_lora, config, layers))


def export_lora(config: AdapterConfig, layers: dict[str, TrainedLora], folder: Path) -> None:
    write_adapter(folder / ADAPTER, config, trained_modules(layers))
