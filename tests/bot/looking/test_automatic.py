"""When the bot looks closer by itself."""

from __future__ import annotations

from bot.looking.automatic import parts_to_see
from bot.regions import GRID, QUARTERS


def test_when_a_picture_is_looked_at_closer() -> None:
    """The picture is 2.5 times the model's eye, and the question names a part or asks for something small."""
    small, whole = "What is written on the small sign?", "What is this?"

    def parts(question: str, side: int, eye: int | None, *, one: bool = False, quoted: bool = False) -> tuple[object, ...]:
        return parts_to_see(question, side, eye, one_picture=one, quoted=quoted)

    assert parts("What is in the upper left?", 560, 224) == GRID[:1]
    assert parts("What is in the upper left?", 559, 224) == ()
    assert parts("What is in the upper left?", 4000, None) == ()
    assert parts(small, 1536, 448) == QUARTERS
    assert parts("小牌子上写着什么？", 1536, 448) == QUARTERS
    assert parts(small, 1536, 448, one=True) == ()
    assert parts(small, 1536, 448, quoted=True) == ()
    assert parts(small, 1536, 224) == ()
    assert parts(whole, 1536, 448) == ()
