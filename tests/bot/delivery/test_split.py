"""No text is lost, no limit exceeded, nothing cut in half that a reader sees as one."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from bot.delivery.split import split

PIECES = st.sampled_from(
    [
        "\n",
        "\n\n",
        " ",
        "word",
        "A sentence. ",
        "一句话。",
        "```\n",
        "```python\n",
        "\n```\n",
        "~~~\n",
        "👨‍👩‍👧‍👦",
        "é",
        "x" * 70,
        "    indented\n",
    ]
)
TEXTS = st.lists(PIECES, max_size=120).map("".join) | st.text(max_size=600)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def letters(text: str) -> str:
    """What a reader reads: no white space, no fence lines (they are repeated at borders)."""
    return "".join(line for line in text.splitlines() if not regex.match(r"\s*(`{3,}|~{3,})", line)).translate(
        {ord(c): None for c in " \t\n\r\x0b\x0c"}
    )


@given(text=TEXTS, limit=st.integers(64, 300))
def test_every_part_is_within_the_limit_of_characters_and_of_utf16_units(text: str, limit: int) -> None:
    assert all(len(part) <= limit for part in split(text, limit))
    assert all(utf16(part) <= limit for part in split(text, limit, utf16))


@given(text=st.lists(PIECES.filter(lambda piece: piece != "x" * 70), max_size=120).map("".join), limit=st.integers(64, 300))
def test_no_text_is_lost(text: str, limit: int) -> None:
    assert regex.sub(r"\s", "", letters("\n".join(split(text, limit)))) == regex.sub(r"\s", "", letters(text))


@given(text=TEXTS, more=TEXTS, limit=st.integers(64, 300))
@example(text="x" * 64, more="\n", limit=64)
def test_appending_never_changes_a_full_part(text: str, more: str, limit: int) -> None:
    before, after = split(text, limit), split(text + more, limit)
    full = len(before) - 2  # the border of the last full part may still move while its grapheme grows
    assert before[: max(full, 0)] == after[: max(full, 0)]


@given(family=st.integers(1, 200), before=st.text("ab", max_size=9))
def test_a_family_stays_together(family: int, before: str) -> None:
    one = "👨‍👩‍👧‍👦"
    for part in split(before + one * family, 64, utf16):
        assert part.lstrip("ab").replace(one, "") == ""


def test_cuts_between_paragraphs_then_sentences_then_words() -> None:
    first, second = "One paragraph that is long enough to count. It ends.", "Another one."
    assert split(f"{first}\n\n{second}", 64) == (first, second)
    assert split(f"{first} {second}", 60) == (first, second)
    assert split("word " * 20, 64)[0] == " ".join(["word"] * 12)


def test_code_goes_on_as_code_in_its_language() -> None:
    code = "\n".join(f"line_{n} = {n}" for n in range(12))
    parts = split(f"See:\n```python\n{code}\n```\nDone.", 80)
    assert all(part.startswith("```python\n") for part in parts[1:-1])
    assert all(part.endswith("\n```") for part in parts[:-1])
    assert "".join(parts).replace("```", "").replace("python", "").replace("\n", "") == f"See:{code}Done.".replace("\n", "")


def test_a_short_text_is_left_as_it_is() -> None:
    assert split("  Hello\n", 64) == ("  Hello\n",)
    assert split("", 64) == ("",)


@pytest.mark.parametrize("blank", [" ", "\n", "\n \n"])
@pytest.mark.parametrize("after", ["", "two"])
def test_of_several_parts_none_is_blank(blank: str, after: str) -> None:
    parts = split(f"one{blank * 500}{after}", 64)
    assert [part.strip() for part in parts] == ["one", *after.split()]
