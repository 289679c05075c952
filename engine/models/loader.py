"""A ready folder becomes a model that answers, whatever its architecture."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.errors import WeightsError
from engine.models.base import VisionLanguageModel
from engine.models.card import Card, read_card
from engine.weights.loading import load_language

__all__ = ["default_dtype", "load", "load_language", "load_tensors"]

# Each of these modules has `load(folder, card, device, dtype) -> VisionLanguageModel`; only the one that is needed is imported.
ARCHITECTURES = {"pocket": "engine.models.pocket", "minigpt4": "engine.models.minigpt4"}
Load = Callable[[Path, Card, torch.device, torch.dtype], VisionLanguageModel]


def load(folder: Path, device: torch.device | None = None, exact: bool = False) -> VisionLanguageModel:
    """The model in a ready folder, on `device` (default: the first GPU, else the CPU).

    It computes in what the card and the device make fastest; `exact` asks for fp32 throughout, unquantised.
    Raises ModelError for a folder that is not ready, and WeightsError for a weight file that can't be used.
    """
    card = read_card(folder)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if exact:
        card = card.model_copy(update={"quantization": "none"})
    dtype = torch.float32 if exact else default_dtype(device)
    load_architecture: Load = import_module(ARCHITECTURES[card.architecture]).load
    return load_architecture(folder, card, device, dtype)


def default_dtype(device: torch.device) -> torch.dtype:
    """fp16 is what MiniGPT-4 was released in; on a CPU only bf16 has fast kernels."""
    return torch.float16 if device.type == "cuda" else torch.bfloat16


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """A safetensors file. Raises WeightsError that names it."""
    try:
        return load_file(path, device=str(device))
    except FileNotFoundError:
        raise WeightsError(f"{path} is missing. Fetch or convert the model again.") from None
    except SafetensorError as error:
        raise WeightsError(f"{path} is truncated or damaged ({error}). Fetch or convert the model again.") from None
