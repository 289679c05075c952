"""Pictures are encoded once, in batches that memory has room for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from engine.core.build import build_engine
from engine.errors import GenerationError
from engine.images.decode import Picture
from engine.models.base import EncodedPicture
from engine.prompts.turn import Turn
from tests.engine.core.requests import GREY, RED, asked, run
from tests.engine.tiny import TinyModel


def test_a_picture_is_encoded_once_also_over_a_restart(tmp_path: Path) -> None:
    first, second = TinyModel(), TinyModel()
    texts = [run(build_engine(made, pictures=tmp_path), asked())[0].text for made in (first, second)]
    assert (first.encoded, second.encoded) == (1, 0)
    assert texts[0] == texts[1]


class Shortsighted(TinyModel):
    """Has memory for one picture at a time, and for none as narrow as one pixel."""

    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        if len(pictures) > 1 or pictures[0].width == 1:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return super().encode(pictures)


def test_pictures_that_memory_has_no_room_for_are_looked_at_one_by_one() -> None:
    both, greedy = asked(Turn("user", (GREY, RED, "Both?"))), Picture(Image.new("RGB", (1, 9)), "c" * 64)
    fine, failed = run(build_engine(Shortsighted()), both, asked(Turn("user", (greedy, "And this?"))))
    assert fine.text == run(build_engine(TinyModel()), both)[0].text
    assert [type(event) for event in failed.events] == [GenerationError]
