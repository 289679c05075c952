from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from engine.models.pocket.vocabulary import drawn
from engine.training.curve import draw_curve
from engine.training.drawings import ICONS, SIDE, icons_of, listed, shrunk
from engine.training.run import export
from engine.weights.pocket import BRIDGE


def test_every_drawing_has_a_name_that_the_namer_knows() -> None:
    table = listed()
    assert {name for rows in table.values() for _, name in rows} == set(drawn())
    assert set(table) == {*ICONS, "fluent-3d", "openclipart"}


def test_nothing_that_is_measured_on_is_trained_on() -> None:
    assert not any("openmoji" in text.lower() or "tuxpaint" in text for style, rows in listed().items() for text in (style, rows[0][0]))


def testicons_of_are_rendered_from_their_package(tmp_path: Path) -> None:
    icons = {"width": 10, "icons": {"dot": {"body": '<circle cx="5" cy="5" r="4" fill="#ff0000"/>', "height": 10}}}
    archive = tmp_path / "icons.tgz"
    data = json.dumps(icons).encode()
    with tarfile.open(archive, "w:gz") as package:
        member = tarfile.TarInfo("package/icons.json")
        member.size = len(data)
        package.addfile(member, io.BytesIO(data))
    image = icons_of(archive)("dot").convert("RGBA")
    assert image.getpixel((image.width // 2, image.height // 2)) == (255, 0, 0, 255)
    assert image.getpixel((0, 0)) == (0, 0, 0, 0)


def test_sprites_are_cropped_and_small() -> None:
    image = Image.new("RGBA", (400, 400))
    ImageDraw.Draw(image).rectangle((100, 150, 300, 249), fill="red")
    sprite = Image.open(io.BytesIO(shrunk(image)))
    assert sprite.size == (SIDE, round(SIDE * 100 / 201))


def test_the_export_is_what_both_stages_wrote(tmp_path: Path) -> None:
    save_file({"reader.x": torch.ones(2)}, tmp_path / "look.safetensors")
    save_file({"0.a": torch.zeros(3)}, tmp_path / "speak.safetensors")
    export(tmp_path, tmp_path / "bridge.safetensors")
    joined = load_file(tmp_path / "bridge.safetensors")
    assert {name: tensor.dtype for name, tensor in joined.items()} == {"bridge.reader.x": torch.bfloat16, "lora.0.a": torch.bfloat16}
    assert {name.split(".")[0] for name in load_file(BRIDGE)} == {"bridge", "lora"}


def test_the_curve_is_a_picture(tmp_path: Path) -> None:
    for stage in ("look", "speak"):
        (tmp_path / f"{stage}.json").write_text(json.dumps([3.0, 2.0, 1.5, 1.2]))
    draw_curve(tmp_path, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as curve:
        assert curve.format == "PNG"
