"""Puts LoRA adapters beside the language model's matrices, several by name: a request chooses, and the matrices stay as they are.

Where the model has several projections in one (q, k and v), the adapter's matrices are put together so too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import AdapterError
from engine.layers.linear import Linear
from engine.layers.trained_lora import TrainedLora
from engine.models.llama.llama import FUSED, Llama
from engine.weights.merging import language_shapes
from engine.weights.peft_format import Adapter, AdapterConfig, LowRank, read_adapter

ADAPTER = "adapter"  # the folder inside a model's that holds the adapter it was trained with
PARTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
LAYER = re.compile(r"^layers\.\d+\.")


def attach_adapters(language: Llama, adapters: Mapping[str, Path]) -> None:
    """Reads each folder and attaches what is in it under its name. Raises AdapterError."""
    for name, folder in adapters.items():
        attach(language, name, read_adapter(folder))


def attach(language: Llama, name: str, adapter: Adapter) -> None:
    """From now on `lora_scale` has one more place, at its end, which is this adapter's. Raises AdapterError where it does not fit."""
    check_shapes(language, adapter)
    ranks: dict[str, int] = {}  # of each projection, the largest of all layers: kernels read all layers alike
    for module, pair in adapter.modules.items():
        kind = LAYER.sub("", module)
        ranks[kind] = max(ranks.get(kind, 0), len(pair.a))
    owner, language.adapters = len(language.adapters), (*language.adapters, name)
    for path, linear in language.model.named_modules():
        parts = parts_of(path)
        wanted = [ranks.get(LAYER.sub("", part), 0) for part in parts]
        if isinstance(linear, Linear) and any(wanted):
            rows = rows_of(language, parts)
            a, b = side_by_side([adapter.modules.get(part) for part in parts], wanted, list(rows.values()), linear.width_in)
            device = linear.weight.device
            dtype = torch.float32 if device.type == "cpu" else language.dtype
            linear.join_lora(a.to(device, dtype), b.to(device, dtype), owner)


def check_shapes(language: Llama, adapter: Adapter) -> None:
    shapes = language_shapes(language.config)
    for module, pair in adapter.modules.items():
        found, wanted = (pair.b.shape[0], pair.a.shape[1]), shapes.get(f"model.{module}.weight")
        if found != wanted:
            here = f"{wanted[0]} × {wanted[1]}" if wanted else "not there"
            raise AdapterError(
                f"{adapter.folder} was trained on another model: its {module} is {found[0]} × {found[1]}, this model's is {here}. "
                f"It names {adapter.config.base_model_name_or_path or 'no base'} as its base."
            )


def train_adapter(language: Llama, config: AdapterConfig) -> dict[str, TrainedLora]:
    """Puts a new adapter beside every projection that `config` targets, in the place of the layer's own, which goes on beside it frozen.

    → the layers' by path; `trained_modules` gives what is to be written. Raises AdapterError where it targets nothing.
    """
    made: dict[str, TrainedLora] = {}
    for path, linear in language.model.named_modules():
        targets = [part for part in parts_of(path) if config.targets(f"model.{part}")] if isinstance(linear, Linear) else []
        if isinstance(linear, Linear) and targets:
            made[path] = TrainedLora(linear, rows_of(language, parts_of(path)), targets, config.r, config.lora_alpha)
            linear.lora = made[path]
    if not made:
        raise AdapterError(f"None of the language model's projections is called {config.target_modules}: name some of {', '.join(PARTS)}.")
    return made


def trained_modules(layers: Mapping[str, TrainedLora]) -> dict[str, LowRank]:
    return {part: LowRank(*layer.pair(part), layer.scale) for layer in layers.values() for part in layer.targets}


def rows_of(language: Llama, parts: Sequence[str]) -> dict[str, int]:
    """How many outputs each projection has."""
    shapes = language_shapes(language.config)
    return {part: shapes[f"model.{part}.weight"][0] for part in parts}


def parts_of(path: str) -> list[str]:
    """Of one of the model's projections the names that peft knows: `layers.0.self_attn.qkv_proj` is three."""
    stem, _, last = path.rpartition(".")
    return [f"{stem}.{part}" for part in FUSED.get(last, (last,))]


def side_by_side(parts: Sequence[LowRank | None], ranks: Sequence[int], rows: Sequence[int], width: int) -> tuple[Tensor, Tensor]:
    """A [Σ ranks, width] and B [Σ rows, Σ ranks], scaled: each part reads the same input and writes rows of its own."""
    a, b = torch.zeros(sum(ranks), width), torch.zeros(sum(rows), sum(ranks))
    column, row = 0, 0
    for part, rank, height in zip(parts, ranks, rows, strict=True):
        if part is not None:
            here = len(part.a)
            a[column : column + here] = part.a
            b[row : row + height, column : column + here] = part.b.float() * part.scale
        column, row = column + rank, row + height
    return a, b
