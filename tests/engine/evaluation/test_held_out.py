"""The rules that pick usable pictures, on packages unpacked in small: the layout is the real one, the pictures are ours."""

from pathlib import Path

import pytest

from engine.errors import DownloadError
from engine.evaluation.held_out import OPENMOJI, HeldOut


def test_emoji_of_things_are_taken_and_rendered_cropped(held_out: HeldOut) -> None:
    assert [thing.name for thing in held_out.emoji] == ["dog", "green apple"]
    drawing = held_out.emoji[0].load()
    assert drawing.mode == "RGBA"
    assert drawing.width == pytest.approx(2 * drawing.height, abs=2)
    assert drawing.getpixel((drawing.width // 2, drawing.height // 2)) == (0xDD, 0x22, 0x22, 255)


def test_persons_are_taken_once(held_out: HeldOut) -> None:
    assert [person.name for person in held_out.people] == ["person"]


def test_stamps_are_photos_whose_caption_is_a_name(held_out: HeldOut) -> None:
    groups = {thing.name: thing.group for thing in held_out.stamps}
    assert groups == {"great blue heron": "animals/birds", "green apple": "food/fruit", "orange": "food/fruit"}


def test_without_the_package_the_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=OPENMOJI.filename):
        _ = HeldOut(tmp_path / "downloads", source=tmp_path).emoji
