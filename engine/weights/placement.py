"""Decides how several devices are used: an engine on each if the model fits on one, which serves more people; else one engine over all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from engine.device.devices import free_memory
from engine.layers.modes import Quantization
from engine.models.card_reader import read_card
from engine.weights.loader import SPLITTABLE, Quantize
from engine.weights.memory_needed import Shapes, pick, shapes_of


def arrange(folder: Path, devices: Sequence[str], quantize: Quantize) -> list[list[str]]:
    """A list for each engine to start, of the devices it gets. Raises ModelError for a folder that is not ready."""
    free = [free_memory(torch.device(device)) for device in devices]
    if len(devices) < 2 or all(size is None or fits(folder, size, quantize) for size in free):
        return [[device] for device in devices]
    return [list(devices)]


def arrange_sizes(shapes: Shapes, cards: Sequence[int], quantize: Quantize) -> tuple[int, Quantization | None]:
    """Of a model that need not be here, on cards with so many free bytes: how many cards an engine takes (one, or all), and the form.

    None = it does not fit.
    """
    alone = [form(shapes, free, quantize) for free in cards]
    if None not in alone:
        return 1, alone[0]
    return len(cards), form(shapes, sum(cards), quantize)


def form(shapes: Shapes, free: int, quantize: Quantize) -> Quantization | None:
    if quantize == "auto":
        return pick(shapes, free)
    return quantize if shapes.conversations(quantize, free) > 0 else None


def fits(folder: Path, free: int, quantize: Quantize) -> bool:
    """Whether a device with `free` bytes has room for the model and one conversation."""
    card = read_card(folder)
    if card.architecture not in SPLITTABLE:
        return True
    shapes = shapes_of(folder)
    if quantize == "auto":
        return pick(shapes, free, card.quantization) is not None
    return shapes.conversations(quantize, free) > 0
