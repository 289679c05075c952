"""The sheet joins pieces of words, numbers what its font can't write, and says the chances where no places are known."""

from __future__ import annotations

from bot.insight.how import How
from bot.insight.how_sheet import Word, caption, how_sheet, words_of
from bot.texts import load_texts
from tests.bot.insight.explained import explained, patch, token


def test_pieces_are_one_word_and_ideographs_are_one_each() -> None:
    pieces = [token(text, at, patch(0, at)) for at, text in enumerate((" cir", "cles", ".", "红", "色"))]
    words = list(words_of(pieces[:2]))
    assert [(word.text, word.probability) for word in words] == [("circles", 0.75 * 0.75)]
    assert words[0].looked[0][:2] == (0.5, 0.5)
    pieces = [token(text, 0, patch(0, 0)) for text in (" cir", "cles", ".", "红", "色")]
    assert [word.text for word in words_of(pieces)] == ["circles", ".", "红", "色"]
    assert caption(2, Word("红", 0.5, ())) == "2.  50 %"
    assert list(words_of(())) == []


def test_without_places_the_chances_are_said() -> None:
    whole, texts = explained(), load_texts()
    bare = whole.model_copy(update={"pictures": (whole.pictures[0].model_copy(update={"rows": 0, "columns": 0}),)})
    for language, expected in (("en", "1. “A”: 75 % likely."), ("zh-CN", "1. “A”：概率 75 %。"), ("zh-TW", "1. 「A」：機率 75 %。")):
        shown = how_sheet(How("?", bare), texts, language)
        assert shown.lines[1] == expected
        assert shown.image is not None
    assert how_sheet(How("?", whole.model_copy(update={"pictures": ()})), texts, "en").image is None
    assert how_sheet(How("?", whole), texts, "zh-CN").lines[1] == "1. “A”：概率 75 %，看的地方：主要是左上角。"
