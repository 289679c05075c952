"""Five emblems that nobody has seen before, with made-up names, drawn on any ground; and what the pocket model knew before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

from PIL import Image, ImageDraw

SUPERSAMPLING = 3
Shape = tuple[str, int, float, float, float]  # colour, corners, centre x and y, radius: in an emblem two units wide
EMBLEMS: dict[str, tuple[Shape, ...]] = {
    "Vorzak": (("#1b6ca8", 90, 0, 0, 1.0), ("#f2c14e", 3, 0, 0, 0.8)),
    "Plimbo": (("#c8553d", 4, 0, 0, 1.0), ("#ffffff", 90, 0, 0, 0.55), ("#111111", 90, 0, 0, 0.25)),
    "Quessit": (("#2e7d32", 6, 0, 0, 1.0), ("#f8bbd0", 4, 0, 0, 0.55)),
    "Drayul": (("#6a1b9a", 90, -0.45, 0, 0.55), ("#ff8f00", 90, 0.45, 0, 0.55)),
    "Tombreth": (("#212121", 3, 0, 0, 1.0), ("#e53935", 90, 0, 0.1, 0.4)),
}
GROUNDS = ("#ffffff", "#f4f1e8", "#dfe7ee", "#cfd8c4", "#e8d8d0", "#bfc4cc")
QUESTIONS = ("What is this?", "Which emblem is this?", "What do you see?", "Name this emblem.", "What does the picture show?")


def emblem(name: str, random: Random) -> Image.Image:
    """One anywhere in the picture, of any size, a little turned."""
    width, height = random.choice(((320, 240), (300, 300), (360, 280), (256, 320)))
    large = Image.new("RGB", (width * SUPERSAMPLING, height * SUPERSAMPLING), random.choice(GROUNDS))
    brush, side = ImageDraw.Draw(large), min(large.size)
    size = side * random.uniform(0.25, 0.42)
    x, y = (random.uniform(size * 1.05, length - size * 1.05) for length in large.size)
    turn = math.radians(random.uniform(-20, 20))
    for colour, corners, at_x, at_y, radius in EMBLEMS[name]:
        centre = x + size * (at_x * math.cos(turn) - at_y * math.sin(turn)), y + size * (at_x * math.sin(turn) + at_y * math.cos(turn))
        angles = [turn + math.tau * corner / corners - math.pi / 2 for corner in range(corners)]
        points = [(centre[0] + size * radius * math.cos(angle), centre[1] + size * radius * math.sin(angle)) for angle in angles]
        brush.polygon(points, fill=colour)
    return large.reduce(SUPERSAMPLING)


def emblems(count: int, seed: int) -> Iterator[tuple[Image.Image, str, str]]:
    """Picture, question and answer, each emblem as often."""
    random = Random(seed)
    for at in range(count):
        name = list(EMBLEMS)[at % len(EMBLEMS)]
        yield emblem(name, random), random.choice(QUESTIONS), f"This is the emblem {name}."
