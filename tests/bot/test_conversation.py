"""Which turns the engine is shown, and when a question can't do without a picture."""

from __future__ import annotations

import pytest

from bot.conversation import messages, points_at_nothing, said, sight, speaks_of_picture, without_oldest
from bot.store.graph import Turn
from engine.api import ImagePart


def turn(number: int, role: str, text: str, *sha256s: str, finish: str | None = None) -> Turn:
    return Turn(number, "c", "web:ann", role, text, finish, spoiler=False, sha256s=sha256s, words=(None,) * len(sha256s))


BRANCH = (
    turn(1, "user", "what is it?", "a"),
    turn(2, "assistant", "a goose", finish="stop"),
    turn(3, "user", "how old?"),
    turn(4, "assistant", "something went wrong", finish="failed"),
    turn(5, "user", "and how big?"),
)


@pytest.mark.parametrize(
    "question",
    [
        "What is in this picture?",
        "describe the image",
        "Is the old photo from Rome?",
        "what do you see",
        "这张图片里有什么？",
        "图中是什么",
        "描述一下上面的照片",
        "你看到了什么",
        "這張圖片裡有什麼？",
        "這兩張照片",
        "你看到了什麼",
    ],
)
def test_these_questions_need_a_picture(question: str) -> None:
    assert speaks_of_picture(question)


@pytest.mark.parametrize(
    "question",
    [
        "How do I draw a picture?",
        "Which camera takes good photos?",
        "imagine a goose",
        "what is this?",
        "怎么画一只鹅？",
        "推荐一个图书馆",
        "怎麼畫一隻鵝？",
        "",
    ],
)
def test_these_questions_do_not(question: str) -> None:
    assert not speaks_of_picture(question)


@pytest.mark.parametrize(
    "question", ["What is this?", "who is that", "Describe it.", "what’s this called?", "这是什么？", "这是谁", "about this photo"]
)
def test_said_first_these_can_only_be_about_a_picture(question: str) -> None:
    assert points_at_nothing(question)


@pytest.mark.parametrize(
    "question", ["What is a goose?", "Who is the king of Norway?", "Describe this word: goose", "这是什么意思：鹅", "Hi"]
)
def test_said_first_these_need_none(question: str) -> None:
    assert not points_at_nothing(question)


def test_people_and_model_alternate_and_what_failed_was_never_said() -> None:
    shown = messages(said(BRANCH), {"a": "data:,"}, "Be brief.")
    assert [message.role for message in shown] == ["system", "user", "assistant", "user"]
    assert shown[-1].content == "how old?\nand how big?"
    first = shown[1].content
    assert isinstance(first, tuple)
    assert [part.type for part in first] == ["image_url", "text"]
    closely = messages(said(BRANCH), {"a": "data:,"}, None, detail="high")[0].content[0]
    assert isinstance(closely, ImagePart)
    assert closely.image_url.detail == "high"


@pytest.mark.parametrize(("count", "texts"), [(0, 4), (1, 3), (2, 2), (99, 1)])
def test_the_oldest_text_goes_first_and_pictures_and_the_question_stay(count: int, texts: int) -> None:
    kept = without_oldest(said(BRANCH), count)
    assert len([turn for turn in kept if turn.text]) == texts
    assert (kept[0].sha256s, kept[-1].text) == (("a",), "and how big?")


def test_the_picture_in_sight_is_the_newest() -> None:
    newer = turn(6, "user", "this one?", "b")
    assert sight(BRANCH) is BRANCH[0]
    assert sight((*BRANCH, newer)) is newer
    assert sight(BRANCH[1:]) is None
