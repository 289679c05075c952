from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from engine.models.pocket.vocabulary import drawn
from engine.training.sprites import write_sprites

NAMES = ("apple", "cat", "person")


@pytest.fixture(scope="session")
def sprites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three crude drawings in two styles."""
    path = tmp_path_factory.mktemp("sprites") / "sprites.npz"
    rows = []
    for number, (style, name) in enumerate((style, name) for style in ("one", "two") for name in NAMES):
        image = Image.new("RGBA", (64, 48))
        ImageDraw.Draw(image).ellipse((4, 4, 60, 44), fill=(40 * number, 200 - 30 * number, 90, 255))
        data = io.BytesIO()
        image.save(data, "WEBP", lossless=True)
        rows.append((style, drawn().index(name), data.getvalue()))
    write_sprites(path, rows)
    return path
