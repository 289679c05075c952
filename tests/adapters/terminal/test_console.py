"""What is printed in a terminal can't drive it."""

from __future__ import annotations

from adapters.terminal.console import printable


def test_a_model_s_words_cannot_drive_the_terminal() -> None:
    assert printable("a\x1b]0;title\x07b\nc\td\x9b2J 猫") == "a]0;titleb\nc\td2J 猫"
