"""A LoRA adapter on the language model as a trained part, for every family that we compute, on matrices of any form."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import nn

from engine.errors import ModelError
from engine.layers.trained_lora import TrainedLora
from engine.models.base import VisionLanguageModel
from engine.training.alignment.language_part import AdapterOptions, LanguagePart
from engine.weights.adapters import ADAPTER, PARTS, train_adapter, trained_modules
from engine.weights.peft_format import AdapterConfig, write_adapter


def lora_part(model: VisionLanguageModel, options: AdapterOptions) -> LanguagePart:
    """On all projections of all layers or of the last ones. Its export is a folder in peft's form inside the model's: there it is always
    on, and `--adapter` serves it beside the base. Raises ModelError where the model has fewer layers."""
    chosen = last_layers(model, options.layers)
    config = AdapterConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        target_modules=PARTS,
        base_model_name_or_path=model.card.name,
        layers_to_transform=None if options.layers is None else tuple(chosen),
    )
    layers = train_adapter(model.language_model, config)
    module = nn.ModuleDict({path.replace(".", "/"): layer for path, layer in layers.items()})
    return LanguagePart("lora", module, partial(export_lora, config, layers), chosen.start)


def last_layers(model: VisionLanguageModel, count: int | None) -> range:
    there = model.language_model.config.num_hidden_layers
    if count is not None and count > there:
        raise ModelError(f"--layers {count}: the language model of {model.card.name} has {there} layers. Give fewer, or leave it out.")
    return range(0 if count is None else there - count, there)


def export_lora(config: AdapterConfig, layers: dict[str, TrainedLora], folder: Path) -> None:
    write_adapter(folder / ADAPTER, config, trained_modules(layers))
