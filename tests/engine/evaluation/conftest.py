"""Packages of held-out pictures, small, as if they had been fetched and unpacked before."""

from pathlib import Path

import pytest
from PIL import Image

from engine.evaluation.held_out import OPENMOJI, STAMPS, HeldOut

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
