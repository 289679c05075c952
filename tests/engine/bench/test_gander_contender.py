"""Gander as a contender."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from engine.bench.contender import UnableError
from engine.bench.gander_contender import GanderContender
from engine.bench.workload import opening
from engine.models.base import EncodedPicture
from tests.engine.tiny import TinyModel, tiny_card


def test_an_answer_cut_by_the_context_window_gives_no_figure() -> None:
    ours = GanderContender(TinyModel(tiny_card(context_length=260)), 1, 150)
    with pytest.raises(UnableError, match="not 150"):
        ours.answer(opening(1), 150)


class Tiled(TinyModel):
    """700 tokens a picture, as of many tiles."""

    def look(self, picture: Image.Image) -> EncodedPicture:
        seen = super().look(picture)
        return replace(seen, embeddings=seen.embeddings.repeat(175, 1))


def test_a_prompt_of_many_tiles_has_room() -> None:
    assert GanderContender(Tiled(tiny_card(context_length=2000)), 1, 8).answer(opening(1), 8).tokens == 8
