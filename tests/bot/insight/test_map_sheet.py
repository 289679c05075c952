"""Tiles of maps on their picture: bright where the map is, dark elsewhere, a row for each column's worth of words."""

from __future__ import annotations

from xml.etree import ElementTree

from bot.insight.map_sheet import GAP, lit, sheet, telling_words
from bot.insight.wall_sheet import SIDE, wall_sheet
from bot.texts import load_texts
from tests.bot.insight.explained import explained, patch, token

SVG = "{http://www.w3.org/2000/svg}"


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
    drawn = wall_sheet(whole, load_texts(), "en")
    assert drawn is not None
    svg = ElementTree.fromstring(drawn)  # noqa: S314  # our own
    tiles, words = svg.findall(f".//{SVG}image"), svg.findall(f".//{SVG}text")
    assert [word.text for word in words] == ["A", "<i>cat"]
    assert svg.findtext(f"{SVG}desc") == "“A” looked mostly at the upper left. “<i>cat” looked mostly at the lower right."
    assert {tile.get("width") for tile in tiles} == {str(SIDE)}
    assert int(svg.get("width") or 0) > 2 * SIDE
    bare = whole.pictures[0].model_copy(update={"rows": 0, "columns": 0})
    assert wall_sheet(whole.model_copy(update={"pictures": (bare,)}), load_texts(), "en") is None


def test_a_wall_spells_whole_words_in_any_script() -> None:
    pieces = tuple(token(text, at, patch(0, at)) for at, text in enumerate((" cir", "cles", " 红", "\x00 &")))
    drawn = wall_sheet(explained().model_copy(update={"answer": pieces}), load_texts(), "zh-CN")
    assert drawn is not None
    words = ElementTree.fromstring(drawn).findall(f".//{SVG}text")  # noqa: S314  # our own
    assert [word.text for word in words] == ["circles", "红"]
