"""The cut-out drawings that training scenes are composed of, in one file: `sprites.npz`."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance


@dataclass
class Sprite:
    """One drawing on transparent ground. `name` indexes the drawn vocabulary."""

    style: str
    name: int
    image: Image.Image

    def turned(self, rng: Generator, side: int) -> Image.Image:
        """A variation: mirrored, tilted, brighter or duller, `side` pixels at its longer side."""
        image = self.image
        if rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if rng.random() < 0.4:
            image = image.rotate(rng.uniform(-18, 18), Image.Resampling.BICUBIC, expand=True)
        if rng.random() < 0.5:
            solid = image.getchannel("A")
            image = ImageEnhance.Color(image).enhance(rng.uniform(0.7, 1.25))
            image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.85, 1.12))
            image.putalpha(solid)
        scale = side / max(image.size)
        return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BICUBIC)


@cache
def read_sprites(path: Path, without: str = "", only: str = "") -> list[Sprite]:
    """All sprites but those of the style `without`; those of the style `only` when it is given."""
    with np.load(path) as file:
        styles, names, ends, data = (file[key] for key in ("styles", "names", "ends", "data"))
    starts = np.concatenate(([0], ends[:-1]))
    sprites = []
    for style, name, start, end in zip(styles, names, starts, ends, strict=True):
        if style != without and only in ("", style):
            image = Image.open(io.BytesIO(data[start:end].tobytes())).convert("RGBA")
            sprites.append(Sprite(str(style), int(name), image))
    return sprites


def write_sprites(path: Path, sprites: list[tuple[str, int, bytes]]) -> None:
    """Style, name and WebP bytes of each."""
    np.savez(
        path,
        styles=np.array([style for style, _, _ in sprites]),
        names=np.array([name for _, name, _ in sprites], np.int32),
        ends=np.cumsum([len(data) for _, _, data in sprites]),
        data=np.frombuffer(b"".join(data for _, _, data in sprites), np.uint8),
    )
