"""Draws backgrounds of training scenes, and degrades pictures as cameras and messengers do."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from engine.models.pocket.efficientnet import SIDE, border_colour
from engine.models.pocket.vocabulary import COLOURS
from engine.training.palette import jittered, pick

PATIENCE = 40  # tries for a background that is no near shade of anything on it
# Shades of these are easily taken for each other.
NEAR = {
    "white": ("grey",),
    "grey": ("white", "black", "brown", "purple", "blue"),
    "black": ("brown", "grey"),
    "red": ("orange", "pink", "brown"),
    "orange": ("red", "yellow", "brown"),
    "yellow": ("orange", "white"),
    "pink": ("red", "purple", "white"),
    "purple": ("pink", "blue", "grey"),
    "blue": ("purple", "grey"),
    "brown": ("orange", "red", "black", "grey"),
    "green": (),
}


def draw_background(rng: Generator) -> tuple[Image.Image, int]:
    """A plain, shaded or noisy background, and its colour if it has one."""
    roll = rng.random()
    colour = "white" if rng.random() < 0.4 else pick(rng, COLOURS)
    base = np.array(jittered(rng, colour), np.float32)
    if roll < 0.7:
        return Image.new("RGB", (SIDE, SIDE), tuple(int(x) for x in base)), COLOURS.index(colour)
    if roll < 0.9:
        shade = np.linspace(-1, 1, SIDE, dtype=np.float32) * rng.uniform(4, 16)
        ground = base + (shade[:, None, None] if rng.random() < 0.5 else shade[None, :, None])
        ground = ground + rng.normal(0, rng.uniform(0, 5), (SIDE, SIDE, 1))
        return Image.fromarray(ground.clip(0, 255).astype(np.uint8)), COLOURS.index(colour)
    return cloudy(rng), -1


def cloudy(rng: Generator, power: float | None = None) -> Image.Image:
    """Coloured 1/f noise, which resembles a blurred landscape or a texture."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = 1
    exponent = rng.uniform(0.6, 1.8) if power is None else power
    layers = []
    for _ in range(3):
        layer = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) / frequency**exponent).real
        layers.append((layer - layer.mean()) / layer.std())
    mixed = np.stack(layers, -1) @ (rng.normal(size=(3, 3)) * 0.35 + np.eye(3) * 0.5)
    pixels = np.array([rng.uniform(60, 200) for _ in range(3)]) + mixed * rng.uniform(15, 45)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def stripes(rng: Generator) -> Image.Image:
    """A regular pattern in two colours."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    angle, pitch = rng.uniform(0, math.pi), rng.uniform(5, 40)
    wave = np.sin((x * math.cos(angle) + y * math.sin(angle)) * 2 * math.pi / pitch)
    if rng.random() < 0.5:
        wave = wave * np.sin((x * math.sin(angle) - y * math.cos(angle)) * 2 * math.pi / pitch)
    hues = [np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.3, 1.0))) * 255 for _ in range(2)]
    blend = (wave[..., None] + 1) / 2
    return Image.fromarray((hues[0] * blend + hues[1] * (1 - blend)).clip(0, 255).astype(np.uint8))


def letterbox(rng: Generator, ground: Image.Image) -> tuple[float, float]:
    """Sometimes fills bars at two edges as `letterboxed` does for pictures that are not square; returns what is left of each side."""
    if rng.random() < 0.5:
        return 1.0, 1.0
    left = 1 / rng.uniform(1.0, 1.65)
    width, height = (1.0, left) if rng.random() < 0.7 else (left, 1.0)
    across, down = round(SIDE * width), round(SIDE * height)
    place = (SIDE - across) // 2, (SIDE - down) // 2
    inner = ground.crop((*place, place[0] + across, place[1] + down))
    ground.paste(border_colour(inner), (0, 0, SIDE, SIDE))
    ground.paste(inner, place)
    return width, height


def background_for(rng: Generator, colours: list[str]) -> tuple[Image.Image, int]:
    """A background on which shapes of these colours are visible; sprites are on any."""
    for attempt in range(1000):
        ground, background = draw_background(rng)
        name = COLOURS[background] if background >= 0 else ""
        if not colours or (name and not (clashes(name, colours) if attempt < PATIENCE else name in colours)):
            return ground, background
    raise RuntimeError(f"no background suits the colours {colours}")


def clashes(ground: str, colours: list[str]) -> bool:
    return any(colour == ground or colour in NEAR[ground] for colour in colours)


def degraded(rng: Generator, image: Image.Image) -> NDArray[np.uint8]:
    """The picture slightly degraded, as by cameras and messengers: blur, noise, another size."""
    roll = rng.random()
    if roll < 0.12:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1)))
    elif roll < 0.24:
        small = int(rng.integers(120, SIDE))
        image = image.resize((small, small), Image.Resampling.BILINEAR).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = np.asarray(image, np.float32)
    if rng.random() < 0.25:
        pixels = pixels + rng.normal(0, rng.uniform(1, 6), pixels.shape).astype(np.float32)
    return pixels.clip(0, 255).astype(np.uint8)
