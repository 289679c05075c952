"""Parts of a picture in people's words, in English and Chinese."""

from __future__ import annotations

import pytest

from bot.errors import Refusal
from bot.regions import GRID, Region, closer_note, find_region, split_region, stored_region, without_region


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("What is in the upper left corner?", "upper_left"),
        ("who is at the bottom-right", "lower_right"),
        ("What is written on the left?", "left"),
        ("How many are in the middle of the picture?", "middle"),
        ("what stands at the top", "top"),
        ("图的左上角是什么？", "upper_left"),
        ("圖片右下角的標籤寫什麼", "lower_right"),
        ("右边写着什么字", "right"),
        ("中间有几个？", "middle"),
    ],
)
def test_questions_name_parts(text: str, name: str) -> None:
    named = find_region(text)
    assert named is not None
    assert named.region.name == name


@pytest.mark.parametrize(
    "text",
    [
        "Is the circle to the left of the square?",
        "What is left?",
        "Is that right?",
        "He wears a top hat",
        "What stands in the middle of the table?",
        "圆在方块的左边吗？",
        "What is this?",
    ],
)
def test_what_stands_to_each_other_names_none(text: str) -> None:
    assert find_region(text) is None
    assert without_region(text) == text


def test_a_question_about_a_part_is_asked_of_the_part() -> None:
    assert without_region("What is in the upper left corner?") == "What is in the picture?"
    assert without_region("Who stands at the right side of the photo, smiling?") == "Who stands in the picture, smiling?"
    assert without_region("图的左上角是什么？") == "图中是什么？"


@pytest.mark.parametrize(
    ("given", "region", "asked"),
    [
        ("upper left", GRID[0], ""),
        ("in the bottom right corner, please", GRID[8], ""),
        ("左上角", GRID[0], ""),
        ("5", GRID[4], ""),
        ("lower_left", GRID[6], ""),
        ("10,20,50,60", Region(100, 200, 500, 600), ""),
        ("50% 60% 10% 20% what is this", Region(100, 200, 500, 600), "what is this"),
        ("upper left what does the sign say", GRID[0], "upper left what does the sign say"),
        ("what is that", None, "what is that"),
    ],
)
def test_what_is_typed_after_zoom(given: str, region: Region | None, asked: str) -> None:
    assert split_region(given) == (region, asked)


def test_a_rectangle_that_is_too_small_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        split_region("10,10,11,90")
    assert (refused.value.key, refused.value.values["least"]) == ("zoom.too_small", 2)
    assert stored_region(GRID[4].stored) == GRID[4]


def test_a_model_is_told_which_parts_it_sees() -> None:
    assert closer_note(GRID[:1]) == "The last picture shows a part of the one before it, enlarged: its upper left."
    assert "its upper left, a part of it" in closer_note([GRID[0], Region(1, 2, 300, 400)])
