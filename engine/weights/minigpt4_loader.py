"""Loads MiniGPT-4 from a folder that `gander model import` made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.errors import WeightsError
from engine.models.card import Card
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import ARCHITECTURE_NAME, read_architecture
from engine.models.minigpt4.minigpt4 import Eye, MiniGPT4
from engine.models.tokenizer import JsonTokenizer
from engine.weights.llama_loader import load_language, open_shards


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype, *, others: Sequence[torch.device] = ()) -> MiniGPT4:
    """The model in a folder that `gander model import` made, its eye on `device`. Raises WeightsError that names what does not fit."""
    eye = load_eye(folder, LlamaConfig.read(folder / "config.json").hidden_size, device, dtype)
    return MiniGPT4(card, JsonTokenizer.read(folder), eye, load_language(folder, card, device, dtype, others))


def load_eye(folder: Path, width: int, device: torch.device, dtype: torch.dtype) -> Eye:
    """The eye is never quantised: it is small, and looks once a picture."""
    with torch.device("meta"):
        eye = Eye(read_architecture(folder / ARCHITECTURE_NAME), width)
    tensors = {name: stored.read().to(device, dtype) for name, stored in open_shards(folder, "eye").items()}
    try:
        eye.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"The eye's weights in {folder} do not fit its {ARCHITECTURE_NAME}: {error}") from None
    return eye.eval().requires_grad_(False)
