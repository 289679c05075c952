"""`gander read`: what a picture says stands on standard output, line by line, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from adapters.cli.read import print_words
from bot.errors import Refusal
from bot.reading.reader import can_read


@pytest.mark.skipif(not can_read(), reason="what reads writing is not installed: deploy/setup.sh reading")
async def test_words_are_printed_in_order_and_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = Image.new("RGB", (420, 150), "white")
    ImageDraw.Draw(page).multiline_text(
        (20, 20), "Geese are open daily\nPlatform 9", fill="black", font=ImageFont.load_default(32), spacing=16
    )
    page.save(tmp_path / "sign.png")
    await print_words(tmp_path / "sign.png")
    assert capsys.readouterr().out == "Geese are open daily\nPlatform 9\n"


async def test_what_is_no_picture_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    with pytest.raises(Refusal) as refused:
        await print_words(tmp_path / "notes.png")
    assert refused.value.values["name"] == "notes.png"
    assert capsys.readouterr().out == ""
