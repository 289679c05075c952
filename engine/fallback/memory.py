"""What a fallback's model takes, from its files' headers and its config, before anything is loaded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.api import MAX_BEAMS
from engine.device.devices import WORKING, free_memory
from engine.errors import ModelError
from engine.models.card import Card
from engine.weights.stored_tensors import open_folder

MEMORY = Path("/proc/meminfo")


@dataclass(frozen=True)
class FallbackNeeds:
    """Bytes: of the weights, and of the keys and values of one answer at full length."""

    weights: int
    row: int

    @property
    def least(self) -> int:
        """For one answer at a time."""
        return self.weights + self.row + WORKING


def needs_of(folder: Path, text: dict[str, Any], context_length: int, dtype: torch.dtype) -> FallbackNeeds:
    """`text` is the language model's config. Raises WeightsError for a file that is missing or no weights."""
    numbers = sum(math.prod(tensor.shape) for tensor in open_folder(folder).values())
    return FallbackNeeds(numbers * dtype.itemsize, row_bytes(text, context_length, dtype))


def row_bytes(text: dict[str, Any], context_length: int, dtype: torch.dtype) -> int:
    """Layers with a sliding window keep no more than it; linear ones keep next to nothing, which is not counted."""
    layers = int(text.get("num_hidden_layers") or 0)
    kinds = text.get("layer_types") or ["full_attention"] * layers
    window = min(text.get("sliding_window") or context_length, context_length)
    tokens = sum(0 if "linear" in kind or "conv" in kind else window if "sliding" in kind else context_length for kind in kinds)
    heads = text.get("num_attention_heads") or 1
    width = text.get("head_dim") or (text.get("hidden_size") or 0) // heads
    return 2 * tokens * (text.get("num_key_value_heads") or heads) * width * dtype.itemsize


def rows_for(needs: FallbackNeeds, card: Card, device: torch.device, rows: int | None, memory: int | None) -> int:
    """How many answers at once there is memory for, at most `rows`. Raises ModelError where there is none for a single one.

    `memory` bounds the bytes of a card that this process takes.
    """
    wanted = rows or MAX_BEAMS
    free = available(device)
    if free is None:
        return wanted
    free = free if memory is None else min(free, memory)
    if needs.least > free:
        raise ModelError(
            f"{card.name} takes {needs.least / 1e9:.1f} GB as transformers runs it, and {free / 1e9:.1f} GB of {device} are free. A model "
            "of a native family (docs/models.md) takes less, in 4 bit; or choose a smaller one."
        )
    return min(wanted, (free - needs.weights - WORKING) // max(1, needs.row))


def available(device: torch.device) -> int | None:
    """Bytes that are free on a card; of the computer's memory what can be had without swapping. None where the system doesn't tell."""
    if device.type != "cpu":
        return free_memory(device)
    lines = MEMORY.read_text(encoding="ascii", errors="replace").splitlines() if MEMORY.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
