"""Draws the plain shapes of training scenes."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from engine.training.palette import jittered

OVERSAMPLE = 2  # shapes are drawn this much larger, then shrunk, because ImageDraw does not antialias


def polygon(shape: str, side: int) -> list[tuple[float, float]]:
    """The corners of the shape in a square of `side` pixels; none for round shapes."""
    middle, radius = side / 2, side / 2

    def ring(corners: int, turn: float = 0.0, radii: tuple[float, ...] = (1.0,)) -> list[tuple[float, float]]:
        angles = [2 * math.pi * i / corners + turn - math.pi / 2 for i in range(corners)]
        return [
            (middle + radius * radii[i % len(radii)] * math.cos(a), middle + radius * radii[i % len(radii)] * math.sin(a))
            for i, a in enumerate(angles)
        ]

    arm = side * 0.33
    return {
        "square": [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)],
        "rectangle": [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)],
        "triangle": [(middle, 0.0), (side, side * 0.9), (0.0, side * 0.9)],
        "diamond": [(middle, 0.0), (side * 0.9, middle), (middle, side), (side * 0.1, middle)],
        "star": ring(10, radii=(1.0, 0.42)),
        "hexagon": ring(6),
        "cross": [
            (arm, 0), (side - arm, 0), (side - arm, arm), (side, arm), (side, side - arm), (side - arm, side - arm),
            (side - arm, side), (arm, side), (arm, side - arm), (0, side - arm), (0, arm), (arm, arm),
        ],
        "heart": [(middle + radius * x, middle - radius * y) for x, y in map(heart, np.linspace(0, 2 * math.pi, 48).tolist())],
    }.get(shape, [])  # fmt: skip


def draw_shape(rng: Generator, shape: str, colour: str, side: int) -> Image.Image:
    """A plain shape as RGBA, `side` pixels at its longer side, a little turned and sometimes outlined."""
    big = side * OVERSAMPLE
    image = Image.new("RGBA", (big, big))
    pen = ImageDraw.Draw(image)
    fill = (*jittered(rng, colour), 255)
    outline = (30, 30, 30, 255) if colour != "black" and rng.random() < 0.15 else None
    width = max(2, big // 40) if outline else 0
    corners = polygon(shape, big - 1)
    if corners:
        pen.polygon(corners, fill=fill, outline=outline, width=width)
    else:
        pen.ellipse((0, 0, big - 1, big - 1), fill=fill, outline=outline, width=width)
    if shape in ("rectangle", "oval"):
        aspect = rng.uniform(1.55, 2.4)
        long, short = big, round(big / aspect)
        image = image.resize((long, short) if rng.random() < 0.6 else (short, long))
    if shape == "diamond":
        image = image.resize((round(big * rng.uniform(0.75, 1.1)), big))
    turn = (
        rng.uniform(-8, 8)
        if shape in ("square", "diamond", "rectangle")
        else rng.uniform(-60, 60)
        if shape == "hexagon"
        else rng.uniform(-14, 14)
    )
    image = image.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def heart(t: float) -> tuple[float, float]:
    """A point of the sextic heart curve, within −1 … 1."""
    return math.sin(t) ** 3, 0.06 * (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
