"""Colours by name: how much of some pixels is each of the colours that the pocket model knows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.models.pocket.vocabulary import COLOURS


def shares_of(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """RGB [n, 3], 0–255, n > 0 → the share of each of COLOURS [11], summing to 1."""
    counts = np.bincount(name_colours(pixels), minlength=len(COLOURS)).astype(np.float32)
    shares: NDArray[np.float32] = counts / counts.sum()
    return shares


def name_colours(pixels: NDArray[np.float32]) -> NDArray[np.int64]:
    """RGB [n, 3], 0–255 → indices into COLOURS [n], by hue unless the pixel is too dark, light or dull to have one."""
    high, low = pixels.max(1), pixels.min(1)
    spread = np.maximum(high - low, 1e-6)
    saturation, value = (high - low) / np.maximum(high, 1), high / 255
    red, green, blue = pixels.T
    hue = (
        np.where(high == red, (green - blue) / spread % 6, np.where(high == green, (blue - red) / spread + 2, (red - green) / spread + 4))
        * 60
    )
    names = np.select(
        [
            value < 0.2,
            (saturation < 0.12) & (value > 0.85),
            saturation < 0.14,
            ((hue < 15) | (hue >= 345)) & (saturation < 0.55) & (value > 0.75),
            (hue >= 300) & (hue < 345),
            (hue < 45) & (value < 0.66),
            (hue < 15) | (hue >= 345),
            hue < 43,
            hue < 68,
            hue < 170,
            hue < 255,
        ],
        [COLOURS.index(c) for c in ("black", "white", "grey", "pink", "pink", "brown", "red", "orange", "yellow", "green", "blue")],
        COLOURS.index("purple"),
    )
    return names.astype(np.int64)
