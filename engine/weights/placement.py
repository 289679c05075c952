"""Decides how several devices are used: an engine on each if the model fits on one, which serves more people; else one engine over all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.device.devices import free_memory
from engine.models.card_reader import read_card
from engine.weights.loader import SPLITTABLE, Quantize
from engine.weights.memory_needed import pick, shapes_of


def arrange(folder: Path, devices: Sequence[str], quantize: Quantize) -> list[list[str]]:
    """A list for each engine to start, of the devices it gets. Raises ModelError for a folder that is not ready."""
    free = [free_memory(torch.device(device)) for device in devices]
    if len(devices) < 2 or all(size is None or fits(folder, size, quantize) for size in free):
        return [[device] for device in devices]
    return [list(devices)]


def fits(folder: Path, free: int, quantize: Quantize) -> bool:
    """Whether a device with `free` bytes has room for the model and one conversation."""
    card = read_card(folder)
    if card.architecture not in SPLITTABLE:
        return True
    shapes = shapes_of(folder)
    if quantize == "auto":
        return pick(shapes, free, card.quantization) is not None
    return shapes.conversations(quantize, free) > 0
