"""Composes training pictures of sprites, plain shapes, writing and noise, whose content is therefore known exactly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFilter, ImageFont

from engine.models.pocket.efficientnet import SIDE
from engine.models.pocket.scene import Kind
from engine.models.pocket.vocabulary import COLOURS, MAX_OBJECTS, SHAPES
from engine.training.backgrounds import background_for, cloudy, degraded, draw_background, letterbox, stripes
from engine.training.layout import lay_out
from engine.training.palette import colour_shares, pick
from engine.training.shapes import draw_shape
from engine.training.sprites import Sprite


@dataclass(frozen=True)
class Placed:
    """One thing in a picture. Its box is centre and size in pixels. `shape` and `name` index their vocabularies; −1 = none."""

    box: tuple[float, float, float, float]
    shape: int
    name: int
    shares: NDArray[np.float32]  # the share of each of COLOURS in it


@dataclass
class Composed:
    """A picture and what it contains. `background` indexes COLOURS; −1 = several colours."""

    pixels: NDArray[np.uint8]
    kind: Kind
    background: int
    objects: list[Placed] = field(default_factory=list)


def compose(rng: Generator, sprites: list[Sprite], by_name: dict[int, list[int]]) -> Composed:
    """One picture of any kind."""
    roll = rng.random()
    if roll < 0.4:
        return _with_objects(rng, _choose_shapes(rng))
    if roll < 0.92:
        return _with_objects(rng, _choose_sprites(rng, sprites, by_name))
    if roll < 0.965:
        return writing(rng)
    return nothing(rng, sprites)


Chosen = tuple[int, int, "Sprite | str"]  # shape, name, and the sprite or the shape's colour


def _choose_shapes(rng: Generator) -> list[Chosen]:
    def one() -> Chosen:
        return int(rng.integers(len(SHAPES))), -1, pick(rng, COLOURS)

    roll = rng.random()
    if roll < 0.15:
        return [one()]
    if roll < 0.4:
        return [one()] * int(rng.integers(2, MAX_OBJECTS + 1))
    if roll < 0.62:
        return [one(), one()]
    if roll < 0.8:
        return [one(), one(), one()]
    if roll < 0.9:
        return [one() for _ in range(int(rng.integers(4, MAX_OBJECTS + 1)))]
    first, second = one(), one()
    count = int(rng.integers(3, MAX_OBJECTS + 1))
    split = int(rng.integers(1, count))
    mixed = [first] * split + [second] * (count - split)
    return [mixed[i] for i in rng.permutation(count)]


def _choose_sprites(rng: Generator, sprites: list[Sprite], by_name: dict[int, list[int]]) -> list[Chosen]:
    def one() -> Chosen:
        name = pick(rng, list(by_name)) if rng.random() < 0.93 else 0  # 0 = person
        return -1, name, sprites[pick(rng, by_name[name])]

    roll = rng.random()
    if roll < 0.6:
        return [one()]
    if roll < 0.78:
        return [one()] * int(rng.integers(2, MAX_OBJECTS + 1))
    if roll < 0.9:
        return [one(), one()]
    if roll < 0.95:
        return [one(), one(), one()]
    shape = int(rng.integers(len(SHAPES))), -1, pick(rng, COLOURS)
    return [one(), shape]


def _with_objects(rng: Generator, chosen: list[Chosen]) -> Composed:
    ground, background = background_for(rng, [what for _, _, what in chosen if isinstance(what, str)])
    objects = []
    width, height = letterbox(rng, ground)
    for (shape, name, what), (x, y, side) in zip(chosen, lay_out(rng, len(chosen)), strict=True):
        x, y, side = 0.5 + (x - 0.5) * width, 0.5 + (y - 0.5) * height, side * min(width, height)
        pixels = max(12, round(side * SIDE))
        sprite = draw_shape(rng, SHAPES[shape], what, pixels) if isinstance(what, str) else what.turned(rng, pixels)
        left, top = round(x * SIDE - sprite.width / 2), round(y * SIDE - sprite.height / 2)
        ground.paste(sprite, (left, top), sprite)
        shares = colour_shares(sprite)
        if isinstance(what, str):
            shares = np.eye(len(COLOURS), dtype=np.float32)[COLOURS.index(what)]
        objects.append(Placed((left + sprite.width / 2, top + sprite.height / 2, sprite.width, sprite.height), shape, name, shares))
    kind = Kind.SHAPES if all(o.shape >= 0 for o in objects) else Kind.THINGS
    return Composed(degraded(rng, ground), kind, background, objects)


WORDS = [
    "the",
    "of",
    "and",
    "a",
    "to",
    "in",
    "is",
    "you",
    "that",
    "it",
    "he",
    "was",
    "for",
    "on",
    "are",
    "as",
    "with",
    "his",
    "they",
    "at",
    "be",
    "this",
    "have",
    "from",
    "or",
    "one",
    "had",
    "by",
    "word",
    "but",
    "not",
    "what",
    "all",
    "were",
    "we",
    "when",
    "your",
    "can",
    "said",
    "there",
    "use",
    "an",
    "each",
    "which",
    "she",
    "do",
    "how",
    "their",
    "if",
    "will",
    "up",
    "other",
    "about",
    "out",
    "many",
    "then",
    "them",
    "these",
    "so",
    "some",
    "her",
    "would",
    "make",
]


def writing(rng: Generator) -> Composed:
    """A few lines of writing: the model must learn that this is writing, which it can't read."""
    ground, background = draw_background(rng)
    dark = float(np.asarray(ground, np.float32).mean()) < 120
    ink = tuple(int(x) for x in (rng.integers(190, 256, 3) if dark else rng.integers(0, 70, 3)))
    size = int(rng.integers(12, 54))
    font = ImageFont.load_default(size)
    lines = []
    for _ in range(int(rng.integers(1, max(2, 190 // size)))):
        words = [pick(rng, WORDS) for _ in range(int(rng.integers(1, max(2, 400 // (size * 3)))))]
        line = " ".join(words)
        lines.append(line.upper() if rng.random() < 0.2 else line.capitalize() if rng.random() < 0.4 else line)
    pen = ImageDraw.Draw(ground)
    pen.multiline_text((rng.uniform(4, 60), rng.uniform(4, 60)), "\n".join(lines), fill=ink, font=font)
    return Composed(degraded(rng, ground), Kind.TEXT, background)


def nothing(rng: Generator, sprites: list[Sprite]) -> Composed:
    """A picture of nothing that can be named: a bare background, noise, a texture, a sprite too dark or too blurred."""
    roll = rng.random()
    if roll < 0.25:
        ground, background = draw_background(rng)
        return Composed(degraded(rng, ground), Kind.NOTHING, background)
    if roll < 0.5:
        noise = cloudy(rng, rng.uniform(0.0, 1.6))
        if rng.random() < 0.4:
            noise = noise.convert("L").convert("RGB")
        return Composed(degraded(rng, noise), Kind.NOTHING, -1)
    if roll < 0.7:
        return Composed(degraded(rng, stripes(rng)), Kind.NOTHING, -1)
    sprite = sprites[int(rng.integers(len(sprites)))].turned(rng, int(rng.integers(80, 200)))
    ground, _ = draw_background(rng)
    ground.paste(sprite, (int(rng.integers(0, 60)), int(rng.integers(0, 60))), sprite)
    if roll < 0.85:
        return Composed(np.asarray(ground.filter(ImageFilter.GaussianBlur(rng.uniform(22, 40)))), Kind.NOTHING, -1)
    return Composed((np.asarray(ground, np.float32) * rng.uniform(0.0, 0.05)).astype(np.uint8), Kind.NOTHING, COLOURS.index("black"))
