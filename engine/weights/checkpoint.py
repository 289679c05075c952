"""What the checkpoint of MiniGPT-4, or of a successor, changes: which model it makes, and what it trained of the language model.

MiniGPT-v2's holds low-rank adapters of the language model (Hu et al. 2021) under peft's names. They are added to the weights at the import:
one model is served, so nothing is won by keeping them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from torch import Tensor

from engine.errors import WeightsError
from engine.models.minigpt4.config import NEIGHBOURS, Architecture
from engine.weights.stored_tensors import StoredTensor, open_weights

Kind = Literal["minigpt4", "minigpt4_llama2", "minigpt_v2"]
PROJECTION = ("llama_proj.weight", "llama_proj.bias")
TRAINED = re.compile(r"llama_model\.(?:base_model\.model\.)?((?:model\.|lm_head\.).+)")
ADAPTER = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")  # `default` since peft 0.3
ALPHA = 16.0  # of the release; files don't tell


@dataclass(frozen=True)
class Trained:
    """What a checkpoint says of the language model, by LLaMA's own names: whole weights, and pairs A [rank, in], B [out, rank]."""

    weights: Mapping[str, StoredTensor] = field(default_factory=dict)
    adapters: Mapping[str, tuple[StoredTensor, StoredTensor]] = field(default_factory=dict)


def kind_of(path: Path, sizes: Architecture | None = None) -> Kind:
    """Which model a checkpoint makes, by the width that its projection reads and by what else is in it.

    Raises WeightsError for a file that is none, or one that can't be made a model of.
    """
    tensors = open_weights(path)
    weight = tensors.get(PROJECTION[0])
    if weight is None:
        raise WeightsError(f"{path} lacks {PROJECTION[0]}: it is no MiniGPT-4 checkpoint. Give pretrained_minigpt4*.pth.")
    trained = any(name.startswith("llama_model.") for name in tensors)
    if weight.shape[1:] == (NEIGHBOURS * (sizes or Architecture()).vision.hidden_size,):
        return "minigpt_v2" if trained else "minigpt4_llama2"
    if trained:
        raise WeightsError(
            f"{path} is of a model with a Q-Former whose language half was trained, too, which isn't computed here. "
            "Give MiniGPT-4's own of 2023, pretrained_minigpt4*.pth, or MiniGPT-v2's."
        )
    return "minigpt4"


def trained_language(path: Path) -> Trained:
    """Raises WeightsError for half of an adapter."""
    named = {match[1]: tensor for name, tensor in open_weights(path).items() if (match := TRAINED.fullmatch(name))}
    halves = {match.groups(): tensor for name, tensor in named.items() if (match := ADAPTER.fullmatch(name))}
    weights = {name: tensor for name, tensor in named.items() if not ADAPTER.fullmatch(name)}
    adapters = {}
    for module in {module for module, _ in halves}:
        if (module, "A") not in halves or (module, "B") not in halves:
            raise WeightsError(f"{path} holds half of an adapter, of {module}: it is damaged. Download it again.")
        adapters[f"{module}.weight"] = halves[module, "A"], halves[module, "B"]
    return Trained(weights, adapters)


def check_trained(path: Path, trained: Trained, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises WeightsError where a checkpoint's tensors don't fit a language model of these shapes."""
    sizes = {name: tensor.shape for name, tensor in trained.weights.items()}
    sizes |= {name: (b.shape[0], a.shape[1]) for name, (a, b) in trained.adapters.items() if a.shape[0] == b.shape[1]}
    for name in (*trained.weights, *trained.adapters):
        if shapes.get(name) != sizes.get(name):
            raise WeightsError(
                f"{path} was trained with another language model: its {name} has the shape {list(sizes.get(name, ()))}, the --llama's "
                f"{list(shapes.get(name, ()))}. Give Llama 2 Chat of the same size."
            )


def merge_lora(weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """weight + scale · B A in fp32: [out, in], A [rank, in], B [out, rank]. `scale` is alpha / rank."""
    return weight.float().addmm(b.float(), a.float(), alpha=scale)
