"""Colour names and pixels: draws a name as one of its shades, and counts pixels by name."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from engine.models.pocket.colour import shares_of
from engine.models.pocket.vocabulary import COLOURS

T = TypeVar("T")

RGB: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 35), "orange": (255, 140, 20), "yellow": (250, 220, 40), "green": (50, 160, 60), "blue": (40, 90, 215),
    "purple": (130, 50, 170), "pink": (250, 140, 185), "brown": (125, 75, 40), "black": (18, 18, 18), "white": (250, 250, 250),
    "grey": (135, 135, 135),
}  # fmt: skip

# Shades that people call by the name: hue in degrees, saturation and value in percent, each from–to.
SHADES: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "red": ((-8, 8), (75, 100), (65, 100)), "orange": ((23, 36), (80, 100), (88, 100)), "yellow": ((48, 60), (65, 100), (88, 100)),
    "green": ((85, 155), (45, 100), (35, 88)), "blue": ((200, 240), (50, 100), (50, 100)), "purple": ((268, 292), (45, 100), (38, 80)),
    "pink": ((320, 348), (28, 62), (92, 100)), "brown": ((16, 32), (50, 82), (32, 58)), "black": ((0, 360), (0, 12), (0, 13)),
    "white": ((0, 360), (0, 4), (95, 100)), "grey": ((0, 360), (0, 7), (38, 70)),
}  # fmt: skip


def pick(rng: Generator, options: Sequence[T]) -> T:
    """One of the options; `Generator.choice` would copy them into an array first."""
    return options[int(rng.integers(len(options)))]


def jittered(rng: Generator, colour: str) -> tuple[int, int, int]:
    """One of the shades that the name covers."""
    if rng.random() < 0.25:
        return RGB[colour]
    hue, saturation, value = (rng.uniform(low, high) for low, high in SHADES[colour])
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue % 360 / 360, saturation / 100, value / 100))  # type: ignore[return-value]


def colour_shares(sprite: Image.Image) -> NDArray[np.float32]:
    """How much of an RGBA sprite is each of COLOURS: [11], sums to 1."""
    small = np.asarray(sprite.resize((24, 24), Image.Resampling.BOX), np.float32).reshape(-1, 4)
    opaque = small[small[:, 3] > 128, :3]
    if not len(opaque):
        return np.full(len(COLOURS), 1 / len(COLOURS), np.float32)
    return shares_of(opaque)
