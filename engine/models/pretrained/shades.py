"""Normalises pictures' bytes on their device, to the very numbers that the makers' processor computes on the host."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor


def normalised(pixels: Tensor, processor: Any) -> Tensor:
    """uint8 [..., 3, height, width] → fp32 of the same shape, by the scale, mean and deviation of the picture `processor`."""
    table = shades(processor.rescale_factor, tuple(processor.image_mean), tuple(processor.image_std)).to(pixels.device)
    return torch.stack([channel[shade.int()] for channel, shade in zip(table, pixels.unbind(-3), strict=True)], dim=-3)


@lru_cache(maxsize=4)
def shades(scale: float, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """What each byte of each channel is normalised to, [3, 256], in the processor's own arithmetic."""
    scaled = (np.arange(256, dtype=np.float64) * scale).astype(np.float32)
    means, deviations = (np.array(values, dtype=np.float32)[:, None] for values in (mean, std))
    return torch.from_numpy((scaled - means) / deviations)
