"""Draws the scenes of the evaluation: shapes of known colour, number and place. Training has other code for its scenes, on purpose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw, ImageFilter, ImageOps

Point = tuple[float, float]
Colour = tuple[int, int, int]

SUPERSAMPLING = 3
TRIES = 1000  # places drawn until spots are scattered anew
# RGB tones that everybody calls by these names.
TONES: dict[str, tuple[Colour, ...]] = {
    "red": ((214, 30, 38), (190, 16, 24)),
    "orange": ((245, 140, 20), (255, 128, 0)),
    "yellow": ((250, 220, 40), (255, 235, 0)),
    "green": ((40, 150, 60), (20, 120, 40), (60, 180, 75)),
    "blue": ((30, 80, 200), (20, 50, 170), (50, 110, 225)),
    "purple": ((125, 40, 160), (105, 30, 140)),
    "pink": ((250, 130, 180), (255, 150, 200)),
    "brown": ((120, 70, 30), (105, 60, 25)),
    "black": ((15, 15, 18), (0, 0, 0)),
    "white": ((255, 255, 255), (246, 246, 244)),
    "grey": ((128, 128, 130), (145, 145, 145)),
}
CLOSE = frozenset(
    frozenset(pair)
    for pair in (("red", "orange"), ("orange", "yellow"), ("red", "brown"), ("orange", "brown"), ("blue", "purple"), ("pink", "red"),
                 ("pink", "purple"), ("white", "grey"), ("black", "grey"), ("yellow", "white"), ("pink", "white"), ("black", "brown"),
                 ("black", "purple"), ("black", "blue"), ("brown", "purple"), ("red", "purple"), ("grey", "purple"))
)  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """Where a thing stands: its centre and half its size, both as fractions of the picture's shorter side."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Backdrop:
    """A background of one nameable colour. `kind` is plain, shaded (lighter towards one edge) or grained (noise)."""

    colour: str
    kind: str
    width: int
    height: int

    def paint(self, random: Random) -> Image.Image:
        tone = random.choice(TONES[self.colour])
        picture = Image.new("RGB", (self.width, self.height), tone)
        if self.kind == "shaded":
            light = Image.linear_gradient("L").rotate(random.choice((0, 90, 180, 270))).resize(picture.size)
            picture = Image.composite(picture, Image.new("RGB", picture.size, _mix(tone, (255, 255, 255), 0.25)), light)
        if self.kind == "grained":
            noise = Image.effect_noise(picture.size, 22).convert("RGB")
            picture = Image.blend(picture, noise, 0.12)
        return picture


def backdrop(random: Random, avoid: Sequence[str] = ()) -> Backdrop:
    """A backdrop on which the colours in `avoid` stand out."""
    colours = [c for c in TONES if not any(c == other or frozenset((c, other)) in CLOSE for other in avoid)]
    weights = [6 if colour == "white" else 1 for colour in colours]
    size = random.choice(((320, 240), (400, 400), (480, 320), (300, 380), (512, 384)))
    return Backdrop(random.choices(colours, weights)[0], random.choice(("plain", "plain", "shaded", "grained")), *size)


def distinct_colours(random: Random, number: int) -> list[str]:
    """Colours of which no two are close."""
    chosen: list[str] = []
    for colour in random.sample(list(TONES), len(TONES)):
        if all(frozenset((colour, other)) not in CLOSE for other in chosen):
            chosen.append(colour)
    return chosen[:number]


def scatter(random: Random, number: int, aspect: float) -> list[Spot]:
    """`number` spots of about the same size that do not touch, in a picture `aspect` times as wide as its shorter side.

    Where the first ones leave no place for another (one large one in the middle does), it begins anew.
    """
    across, down = max(1.0, aspect), max(1.0, 1 / aspect)
    radius = random.uniform(0.1, 0.14) if number > 2 else random.uniform(0.14, 0.24)
    spots: list[Spot] = []
    tried = 0
    while len(spots) < number:
        tried += 1
        if tried % TRIES == 0:
            spots.clear()
        spot = Spot(random.uniform(radius, across - radius), random.uniform(radius, down - radius), radius * random.uniform(0.9, 1.0))
        if all(math.hypot(spot.x - other.x, spot.y - other.y) > 2.2 * radius for other in spots):
            spots.append(spot)
    return spots


def beside(random: Random, wanted: str, aspect: float) -> tuple[Spot, Spot]:
    """Two spots of which the first lies left, right, above or below the second, unmistakably."""
    across, down = max(1.0, aspect), max(1.0, 1 / aspect)
    sway, radius = random.uniform(-0.06, 0.06), random.uniform(0.13, 0.18)
    if wanted in ("left", "right"):
        pair = (Spot(across * 0.25, down / 2 + sway, radius), Spot(across * 0.75, down / 2 - sway, radius))
    else:
        pair = (Spot(across / 2 + sway, down * 0.25, radius), Spot(across / 2 - sway, down * 0.75, radius))
    return pair if wanted in ("left", "above") else (pair[1], pair[0])


def draw_shapes(backdrop: Backdrop, things: Sequence[tuple[str, str, Spot]], random: Random) -> Image.Image:
    """(colour, shape, spot) each, drawn smooth and a little turned, over the backdrop."""
    picture = backdrop.paint(random)
    large = picture.resize((picture.width * SUPERSAMPLING, picture.height * SUPERSAMPLING))
    brush, unit = ImageDraw.Draw(large), min(large.size)
    for colour, shape, spot in things:
        turn = math.radians(random.uniform(-8, 8))
        points = [_turned(point, turn) for point in OUTLINES[shape]()]
        scaled = [(unit * (spot.x + spot.radius * x), unit * (spot.y + spot.radius * y)) for x, y in points]
        brush.polygon(scaled, fill=random.choice(TONES[colour]))
    return large.reduce(SUPERSAMPLING)


def paste_things(backdrop: Backdrop, things: Sequence[tuple[Image.Image, Spot]], random: Random) -> Image.Image:
    """Cutouts (RGBA) over the backdrop, each fitted into the square around its spot."""
    picture = backdrop.paint(random)
    unit = min(picture.size)
    for cutout, spot in things:
        side = max(8, round(2 * spot.radius * unit))
        small = ImageOps.contain(cutout, (side, side), Image.Resampling.LANCZOS)
        picture.paste(small, (round(spot.x * unit - small.width / 2), round(spot.y * unit - small.height / 2)), small)
    return picture


def blur(picture: Image.Image, strength: float) -> Image.Image:
    """`strength` is the radius as a part of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(strength * min(picture.size)))


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _turned(point: Point, angle: float) -> Point:
    x, y = point
    return x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)


def _regular(corners: int, start: float = -90.0, width: float = 1.0, height: float = 1.0) -> list[Point]:
    angles = [math.radians(start + 360 * corner / corners) for corner in range(corners)]
    return [(width * math.cos(angle), height * math.sin(angle)) for angle in angles]


def _star() -> list[Point]:
    outer, inner = _regular(5), _regular(5, -54)
    return [point for tip, dent in zip(outer, inner, strict=True) for point in (tip, (0.42 * dent[0], 0.42 * dent[1]))]


def _heart() -> list[Point]:
    """The sextic heart curve x = 16 sin³ t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t, scaled to the unit circle."""
    curve = []
    for step in range(72):
        t = math.tau * step / 72
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        curve.append((math.sin(t) ** 3, -y / 16))
    return curve


def _box(width: float, height: float) -> list[Point]:
    return [(-width, -height), (width, -height), (width, height), (-width, height)]


def _cross() -> list[Point]:
    arm = 0.34
    quarter = [(-arm, -1.0), (arm, -1.0), (arm, -arm)]
    return [_turned(point, math.radians(90 * side)) for side in range(4) for point in quarter]


OUTLINES: dict[str, Callable[[], list[Point]]] = {
    "circle": lambda: _regular(90),
    "square": lambda: _box(0.85, 0.85),
    "triangle": lambda: _regular(3),
    "star": _star,
    "heart": _heart,
    "diamond": lambda: _regular(4, width=0.7),
    "rectangle": lambda: _box(1.0, 0.55),
    "oval": lambda: _regular(90, width=1.0, height=0.6),
    "hexagon": lambda: _regular(6, 0),
    "cross": _cross,
}
