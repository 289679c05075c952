"""Two adapters for the tiny language model in folders as peft writes them, and the model's weights with each of them summed up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.weights.merging import language_shapes
from tests.engine.tiny import CONFIG

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
CONFIGS = {
    "narrow": {"peft_type": "LORA", "r": 2, "lora_alpha": 3, "target_modules": ["q_proj", "v_proj"]},
    "wide": {"peft_type": "LORA", "r": 4, "lora_alpha": 5, "use_rslora": True, "target_modules": list(ALL), "rank_pattern": {"up_proj": 3}},
}
RANKS = {"narrow": dict.fromkeys(("q_proj", "v_proj"), 2), "wide": {**dict.fromkeys(ALL, 4), "up_proj": 3}}


@cache
def base_weights() -> dict[str, Tensor]:
    """By Hugging Face's names."""
    generator = torch.Generator().manual_seed(8)
    return {
        name: torch.ones(shape) if "norm" in name else torch.empty(shape).normal_(std=2.0 if "head" in name else 0.3, generator=generator)
        for name, shape in language_shapes(CONFIG).items()
    }


@cache
def pairs(name: str) -> dict[str, tuple[Tensor, Tensor]]:
    """A and B by module; the wide one leaves the first layer's MLP alone."""
    generator = torch.Generator().manual_seed(len(name))
    made = {}
    for weight, (*height, width) in language_shapes(CONFIG).items():
        rank = RANKS[name].get(weight.split(".")[-2], 0)
        if rank and not (name == "wide" and "layers.0.mlp" in weight):
            shapes = (rank, width), (height[0], rank)
            made[weight.removesuffix(".weight")] = tuple(torch.empty(shape).normal_(std=0.4, generator=generator) for shape in shapes)
    return made  # type: ignore[return-value]  # two of them


def adapter_folder(folder: Path, name: str) -> Path:
    tensors = {
        f"base_model.model.{module}.lora_{side}.weight": tensor
        for module, both in pairs(name).items()
        for side, tensor in zip("AB", both, strict=True)
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIGS[name]))
    return folder


def scale_of(name: str, rank: int) -> float:
    return 3 / rank if name == "narrow" else 5 / math.sqrt(rank)


def merged(name: str) -> dict[str, Tensor]:
    """W + scale · B A of each module that has one."""
    return {
        f"{module}.weight": base_weights()[f"{module}.weight"] + scale_of(name, len(a)) * b @ a for module, (a, b) in pairs(name).items()
    }


MERGED: dict[str, Callable[[], dict[str, Tensor]]] = {name: partial(merged, name) for name in CONFIGS}
