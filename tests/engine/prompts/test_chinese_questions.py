"""Forty questions in Chinese, simplified and traditional, and what the engine does with each: the model, or words of its card's own."""

from __future__ import annotations

from importlib.resources import files

import pytest
from PIL import Image

from engine.images.decode import Picture
from engine.models.card import Card
from engine.prompts.languages import apology
from engine.prompts.recital import recital
from engine.prompts.turn import Turn
from engine.weights.minigpt4_release import read_release
from engine.writing import quote_writing

POCKET = Card.model_validate_json(files("engine.weights.pocket").joinpath("gander.json").read_bytes())
PAGE = "def total(prices):\n    result = 0\n    for price in prices:\n        result = price\n    return result"
SIGN = "OPEN"
SORRY, READS, ANSWERS = "says that it knows no Chinese", "says the writing", "answers"
ABOUT_A_PICTURE = (
    *(
        "这是什么？",
        "图里有几只猫？",
        "它是什么颜色？",
        "描述一下这张图片。",
        "左边是什么？",
        "红色的圆在哪里？",
        "这只狗在做什么？",
        "天气怎么样？",
    ),
    *(
        "這是什麼？",
        "圖裡有幾個人？",
        "她穿什麼顏色的衣服？",
        "请用一句话描述。",
        "哪个更大？",
        "这是iPhone还是Android？",
        "猫",
        "好看吗",
        "再说一遍",
    ),
    *("谢谢！", "背景是什么颜色？", "他在笑吗？", "那是谁？", "有没有汽车？", "是白天还是晚上？", "数一数有多少颗星星", "可以吃吗？"),
    *("这张照片是在哪里拍的？", "圆形和方形哪个在左边？"),
)
ABOUT_A_PAGE = (
    *("这段代码有什么错误？", "bug在哪里？", "上面写了什么？", "翻译成英文", "總數是多少？", "解释一下", "这是什么？"),
    "這個程式做什麼？",
)
ABOUT_A_SIGN = {"牌子上写着什么？": READS, "这个词怎么念？": READS, "標題是什麼？": READS, "这只猫是什么颜色？": SORRY, "有几扇门？": SORRY}
QUESTIONS = [
    *((question, "", SORRY) for question in ABOUT_A_PICTURE),
    *((question, PAGE, READS) for question in ABOUT_A_PAGE),
    *((question, SIGN, path) for question, path in ABOUT_A_SIGN.items()),
]


def path(card: Card, question: str, writing: str) -> str:
    """As `Engine` chooses it."""
    picture = Picture(Image.new("RGB", (3, 3)), "c" * 64)
    quoted = quote_writing(writing) if writing else ""
    turns = [Turn("user", (picture, quoted + "What is this?")), Turn("assistant", ("A cat.",)), Turn("user", (quoted + question,))]
    for asked in (turns, [Turn("user", (picture, quoted + question))]):  # as a follow-up, and as the first
        if (said := recital(card, asked)) is not None:
            assert "上面写着" in said
            assert writing in said
            found = READS
        else:
            found = ANSWERS if apology(card, asked) is None else SORRY
    return found


def test_there_are_forty() -> None:
    assert len({(question, writing) for question, writing, _ in QUESTIONS}) == len(QUESTIONS) == 40


@pytest.mark.parametrize(("question", "writing", "expected"), QUESTIONS)
def test_the_pocket_model_says_in_chinese_that_it_knows_none_or_reads_out(question: str, writing: str, expected: str) -> None:
    assert path(POCKET, question, writing) == expected


@pytest.mark.parametrize("languages", [("en", "zh"), ()])
def test_a_model_that_may_know_chinese_answers_all(languages: tuple[str, ...]) -> None:
    """Such as Qwen's, whose card makes no claim; MiniGPT-4's claims English, and answers as well as it can: the bot says so below."""
    card = POCKET.model_copy(update={"languages": languages, "apologies": {}, "recitals": {}})
    assert {path(card, question, writing) for question, writing, _ in QUESTIONS} == {ANSWERS}
    assert read_release().languages == read_release("minigpt_v2").languages == ("en",)


@pytest.mark.parametrize("question", ["What does 猫 mean?", "Is it raining? 下雨了吗?", "Translate 下雨 please", "これは何ですか"])
def test_english_with_a_chinese_word_and_japanese_are_not_chinese(question: str) -> None:
    assert path(POCKET, question, "") == ANSWERS
