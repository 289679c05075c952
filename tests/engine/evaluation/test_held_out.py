"""The rules that pick usable pictures, on packages unpacked in small: the layout is the real one, the pictures are ours."""

from pathlib import Path
from random import Random

import pytest
from PIL import Image

from engine.errors import DownloadError
from engine.evaluation.held_out import OPENMOJI, STAMPS, HeldOut
from engine.evaluation.suites.shapes import caption_colour, thing_case

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><rect x="18" y="18" width="36" height="18" fill="#d22"/></svg>'
TABLE = """emoji,hexcode,group,subgroups,annotation,tags,skintone
🐶,1F436,animals-nature,animal-mammal,dog face,,
🐕,1F415,animals-nature,animal-mammal,dog,,
🕐,1F550,travel-places,time,one o'clock,,
🧑,1F9D1,people-body,person,person,,
🧑🏻,1F9D1-1F3FB,people-body,person,person: light skin tone,,1
🍏,1F34F,food-drink,food-fruit,green apple,,
"""


@pytest.fixture
def held_out(tmp_path: Path) -> HeldOut:
    """Both packages as if unpacked before, so nothing is fetched."""
    emoji = tmp_path / f"{OPENMOJI.name}-{OPENMOJI.version}" / "package"
    (emoji / "data").mkdir(parents=True)
    (emoji / "data" / "openmoji.csv").write_text(TABLE, "utf-8")
    (emoji / "color" / "svg").mkdir(parents=True)
    for code in ("1F415", "1F34F", "1F9D1"):
        (emoji / "color" / "svg" / f"{code}.svg").write_text(SVG, "utf-8")
    stamps = tmp_path / f"{STAMPS.name}-{STAMPS.version}" / "usr/share/tuxpaint/stamps"
    for path, caption in {
        "animals/birds/heron": "A great blue heron.\nfr.utf8=Un héron.",
        "animals/birds/cartoon/tux": "A penguin.",
        "food/fruit/apple": "A green apple.",
        "food/fruit/orange": "An orange.",
        "household/toilet": "Remember to flush the toilet and wash your hands with soap!",
        "symbols/letter": "A letter.",
    }.items():
        picture = stamps / f"{path}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA", (30, 20), (0, 200, 0, 255)).save(picture)
        picture.with_suffix(".txt").write_text(caption, "utf-8")
    return HeldOut(tmp_path)


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


def test_only_things_tell_their_colour(held_out: HeldOut) -> None:
    assert [caption_colour(thing) for thing in held_out.stamps] == [None, "green", None]


def test_a_thing_stands_on_white(held_out: HeldOut) -> None:
    case = thing_case(held_out.stamps[1], Random(1))
    assert case.picture is not None
    assert case.picture.getpixel((200, 200)) == (0, 200, 0)
    assert case.picture.getpixel((200, 20)) == (255, 255, 255)


def test_without_the_package_the_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=OPENMOJI.filename):
        _ = HeldOut(tmp_path / "downloads", source=tmp_path).emoji
