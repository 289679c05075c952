"""Tells foreground from background by pixels."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from engine.models.pocket.foreground import evenness, foreground_colours, joined


def test_a_flat_drawing_is_even_and_a_noisy_photo_is_not() -> None:
    flat = Image.new("RGB", (100, 100), "white")
    ImageDraw.Draw(flat).ellipse((20, 20, 80, 80), fill=(200, 30, 30))
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    assert evenness(flat) > 0.9
    assert evenness(Image.fromarray(noise)) < 0.05


def test_ground_between_two_things_tells_them_apart() -> None:
    flat = Image.new("RGB", (100, 100), "white")
    ImageDraw.Draw(flat).rectangle((10, 40, 60, 60), fill=(30, 60, 200))
    ImageDraw.Draw(flat).rectangle((75, 40, 95, 60), fill=(30, 60, 200))
    assert joined(flat, (0.15, 0.5), (0.55, 0.5))
    assert not joined(flat, (0.15, 0.5), (0.85, 0.5))


def test_colours_are_those_of_the_thing_not_of_its_ground() -> None:
    flat = Image.new("RGB", (100, 100), "white")
    ImageDraw.Draw(flat).rectangle((20, 20, 60, 80), fill=(30, 60, 200))
    (first, share), *_ = foreground_colours(flat)
    assert first == "blue"
    assert share == 1.0
