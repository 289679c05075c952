"""A sheet of pictures: a tile for each."""

from __future__ import annotations

from io import BytesIO

from bot.media.tiled_sheet import TILE, draw
from tests.bot.questions.album import BROWN, WHITE


def test_a_sheet_has_a_tile_for_each_and_an_empty_one_for_what_can_not_be_shown() -> None:
    assert [draw([None] * number).width // TILE for number in (2, 3, 4, 5)] == [2, 3, 2, 3]
    sheet = draw([WHITE, None, BROWN])
    colors = [sheet.getpixel((round((at + 0.5) * sheet.width / 3), sheet.height // 2)) for at in range(3)]
    assert len(set(colors)) == 3
    out = BytesIO()
    sheet.save(out, "JPEG")
    assert len(out.getvalue()) < 100_000
