"""Loads MiniGPT-4 or MiniGPT-v2 from a folder that `gander model import` made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.device.meta import without_memory
from engine.errors import WeightsError
from engine.models.card import Card
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import ARCHITECTURE_NAME, VISION_SHARDS, Architecture, read_architecture
from engine.models.minigpt4.minigpt4 import MiniGPT4, PictureEncoder, VisionEncoder
from engine.models.minigpt_v2.patch_encoder import PatchEncoder
from engine.models.tokenizer import JsonTokenizer
from engine.weights.llama_loader import load_language, open_shards


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype, *, others: Sequence[torch.device] = ()) -> MiniGPT4:
    """The model in a folder that `gander model import` made, all but `others` on `device`. Raises WeightsError that names what is wrong."""
    vision_encoder = load_vision_encoder(folder, LlamaConfig.read(folder / "config.json").hidden_size, device, dtype)
    return MiniGPT4(card, JsonTokenizer.read(folder), vision_encoder, load_language(folder, card, device, dtype, others))


def picture_encoder(sizes: Architecture, width: int) -> PictureEncoder:
    """Of these sizes, into a language model of `width`."""
    if sizes.qformer is None:
        return PatchEncoder(sizes.vision, width)
    return VisionEncoder(sizes.vision, sizes.qformer, width)


def load_vision_encoder(folder: Path, width: int, device: torch.device, dtype: torch.dtype) -> PictureEncoder:
    """The vision encoder, never quantised: it is small, and runs once a picture."""
    with without_memory():
        vision_encoder = picture_encoder(read_architecture(folder / ARCHITECTURE_NAME), width)
    tensors = {name: stored.read().to(device, dtype) for name, stored in open_shards(folder, VISION_SHARDS).items()}
    try:
        vision_encoder.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"The vision encoder's weights in {folder} do not fit its {ARCHITECTURE_NAME}: {error}") from None
    return vision_encoder.eval().requires_grad_(False)
