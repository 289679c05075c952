"""Tells foreground from background by pixels: how evenly the foreground is coloured, and in which colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.models.pocket.colour import shares_of
from engine.models.pocket.efficientnet import border_colour
from engine.models.pocket.vocabulary import COLOURS

EVEN = 3  # grey levels by which neighbours of an even colour may differ
STEPS = 40  # points that are looked at between two others
SHADING = 72  # grey levels by which even a shaded ground does not differ from its border
FILLED = 0.5  # share of the edge from which it shows no ground
DISTINCT = 24  # grey levels by which a thing differs from the ground


def evenness(picture: Image.Image) -> float:
    """Share of an RGB picture's foreground that hardly differs from its neighbours: high in drawings, low in photographs."""
    pixels = np.asarray(picture, np.int16)
    right = np.abs(np.diff(pixels, axis=1))[:-1].max(-1)
    below = np.abs(np.diff(pixels, axis=0))[:, :-1].max(-1)
    thing = _is_foreground(picture)[:-1, :-1]
    return float((np.maximum(right, below)[thing] <= EVEN).mean()) if thing.any() else 1.0


def foreground_colours(picture: Image.Image) -> tuple[tuple[str, float], ...]:
    """The share of each colour in an RGB picture's foreground, largest first; of the whole picture where nothing stands out."""
    pixels = np.asarray(picture, np.float32)
    thing = _is_foreground(picture)
    shares = shares_of(pixels[thing] if thing.any() else pixels.reshape(-1, 3))
    return tuple((COLOURS[i], float(shares[i])) for i in np.argsort(-shares, kind="stable"))


def joined(picture: Image.Image, start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether no ground lies between two points (in parts of the sides): they are then on one thing."""
    pixels, ground = np.asarray(picture, np.int16), np.array(border_colour(picture), np.int16)
    steps = np.linspace(0, 1, STEPS)
    x, y = (
        ((a + (b - a) * steps) * (side - 1)).round().clip(0, side - 1).astype(int)
        for a, b, side in zip(start, end, picture.size, strict=True)
    )
    return bool((np.abs(pixels[y, x] - ground).max(-1) > SHADING).all())


def frame_filled(picture: Image.Image) -> bool:
    """Whether most of an RGB picture's edge differs from its own usual colour: then there is no ground for things to stand on."""
    thing = _is_foreground(picture)
    return float(np.concatenate((thing[0], thing[-1], thing[:, 0], thing[:, -1])).mean()) >= FILLED


def extent(picture: Image.Image) -> float:
    """The share of an RGB picture that certainly is no ground, not even a shaded one."""
    difference = np.abs(np.asarray(picture, np.int16) - np.array(border_colour(picture), np.int16))
    return float((difference.max(-1) > SHADING).mean())


def _is_foreground(picture: Image.Image) -> NDArray[np.bool_]:
    """[height, width]: what differs from the border's colour."""
    difference = np.abs(np.asarray(picture, np.int16) - np.array(border_colour(picture), np.int16))
    distinct: NDArray[np.bool_] = difference.max(-1) > DISTINCT
    return distinct
