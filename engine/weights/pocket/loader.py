"""Loads the pocket model: the frozen parts from its ready folder, the trained bridge from this package."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.models.card import Card
from engine.models.llama.llama import Llama
from engine.models.pocket.bridge import LORA_RANK, Bridge, embed_words
from engine.models.pocket.efficientnet import EfficientNet
from engine.models.pocket.perception import Perception
from engine.models.pocket.pocket import Pocket
from engine.models.pocket.vocabulary import imagenet
from engine.models.tokenizer import JsonTokenizer
from engine.weights.loader import load_language, load_tensors
from engine.weights.pocket import BRIDGE, bridge_file


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Pocket:
    """From a ready folder, with its own bridge if one was trained there, else the one that the repository ships.

    EfficientNet and the bridge stay in fp32: they are small.
    """
    language = load_language(folder, card, device, dtype)
    tokenizer = JsonTokenizer.read(folder)
    efficientnet = EfficientNet()
    efficientnet.load_weights(load_tensors(folder / "eye.safetensors"))
    bridge = Bridge(language.config.hidden_size)
    load_bridge(bridge, language, load_tensors(bridge_file(folder)))
    table = language.model.embed_tokens.weight.detach().cpu()
    concepts = embed_words([entry.fine for entry in imagenet()], tokenizer.encode, table)
    return Pocket(card, tokenizer, Perception(efficientnet.to(device), bridge.to(device).eval(), concepts.to(device)), language)


def load_bridge(bridge: Bridge, language: Llama, tensors: dict[str, Tensor]) -> None:
    """Fills the bridge and gives the language model its LoRA adapters. Raises WeightsError that names what does not fit."""
    adapters = nn.ModuleList(language.add_lora(LORA_RANK))
    both = nn.ModuleDict({"bridge": bridge, "lora": adapters})
    try:
        both.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"{BRIDGE.name} is not this version's bridge: {error}") from None
    adapters.to(language.device).requires_grad_(False)
