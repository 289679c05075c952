"""EfficientNet: its weights are checked, it stays frozen, and pictures keep their proportions."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from torch import nn

from engine.errors import WeightsError
from engine.models.pocket.efficientnet import SIDE, EfficientNet, letterboxed


def test_a_damaged_efficientnet_is_refused(pocket_folder: Path, tmp_path: Path) -> None:
    tensors = load_file(pocket_folder / "eye.safetensors")
    EfficientNet().load_weights(tensors)
    del tensors["_conv_stem.weight"]
    save_file(tensors, tmp_path / "eye.safetensors")
    with pytest.raises(WeightsError, match=r"conv_stem\.weight"):
        EfficientNet().load_weights(load_file(tmp_path / "eye.safetensors"))


def test_efficientnet_stays_frozen() -> None:
    assert not any(
        module.training for module in nn.ModuleList([EfficientNet()]).train().modules() if isinstance(module, EfficientNet | nn.BatchNorm2d)
    )


def test_letterboxing_keeps_proportions() -> None:
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).rectangle((100, 50, 199, 149), fill="black")
    boxed = letterboxed(picture)
    assert boxed.size == (SIDE, SIDE)
    left, top, right, bottom = boxed.convert("L").point(lambda value: 255 * (value < 128)).getbbox() or (0, 0, 0, 0)
    assert right - left == bottom - top == 56
