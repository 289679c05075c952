"""Tiles of maps on their picture: bright where the map is, dark elsewhere, a row for each column's worth of words."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from bot.insight.map_sheet import GAP, lit, sheet, telling_words
from bot.insight.wall_sheet import SIDE, wall_sheet
from tests.bot.insight.explained import explained, patch


def test_a_tile_is_bright_where_its_map_is() -> None:
    seen = explained().pictures[0]
    shown = lit(seen, patch(0, 0), 80).convert("L")
    assert shown.size == (80, 80)
    assert shown.getpixel((5, 5)) > 2 * shown.getpixel((75, 75))  # type: ignore[operator]  # of a grey picture: numbers


def test_a_sheet_has_a_place_for_every_word() -> None:
    whole = explained()
    words = telling_words(whole, 0, 2)
    assert [word for word, _ in words] == ["A", "<i>cat"]
    drawn = sheet(whole.pictures[0], words * 2, columns=3, side=50)
    assert drawn.width == GAP + 3 * (50 + GAP)
    assert drawn.height == GAP + 2 * (50 + round(1.6 * 16) + GAP)


def test_a_wall_gets_large_tiles_or_nothing() -> None:
    whole = explained()
    drawn = wall_sheet(whole)
    assert drawn is not None
    assert Image.open(BytesIO(drawn)).width > 2 * SIDE
    bare = whole.pictures[0].model_copy(update={"rows": 0, "columns": 0})
    assert wall_sheet(whole.model_copy(update={"pictures": (bare,)})) is None
