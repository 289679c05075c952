"""When a question counts as Chinese, and what a model that has no Chinese says then."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from engine.core.offline import OfflineEngine
from engine.images.decode import Picture
from engine.models.card import Card
from engine.prompts.turn import Turn
from engine.request import ChoiceFinished, Done, Request, TextDelta
from engine.writing import language_of
from tests.engine.tiny import TinyModel, tiny_card

SORRY = "抱歉，我只懂英语。"
CARD = tiny_card().model_copy(update={"languages": ("en",), "apologies": {"zh": SORRY}})


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("这是什么？", "zh"),
        ("这只猫是什么颜色的 iPhone?", "zh"),
        ("猫", "zh"),
        ("这是iPhone还是Android？", "zh"),
        ("Read 中文", "und"),
        ("What is this?", "und"),
        ("What does 猫 mean?", "und"),
        ("Is it raining? 下雨了吗?", "und"),
        ("これは何ですか", "ja"),
        ("Was ist das für ein Tier?", "und"),
        ("🦆?", "und"),
        ("", "und"),
    ],
)
def test_language_of(text: str, language: str) -> None:
    assert language_of(text) == language


def asked(card: Card, *turns: Turn, n: int = 1) -> list[object]:
    request = replace(Request(turns, card.generation.model_copy(update={"max_tokens": 3})), n=n)
    return list(OfflineEngine(TinyModel(card=card)).generate(request, lambda: False))


def test_an_unspoken_language_gets_the_apology_at_once() -> None:
    picture = Picture(Image.new("RGB", (3, 3)), "c" * 64)
    found = asked(CARD, Turn("user", (picture, "这是什么？")), n=2)
    assert found[:4] == [TextDelta(0, SORRY), ChoiceFinished(0, "stop"), TextDelta(1, SORRY), ChoiceFinished(1, "stop")]
    assert isinstance(found[-1], Done)


@pytest.mark.parametrize("card", [tiny_card(), CARD.model_copy(update={"languages": ("en", "zh")})])
def test_without_an_apology_or_where_spoken_the_model_answers(card: Card) -> None:
    assert TextDelta(0, SORRY) not in asked(card, Turn("user", ("这是什么？",)))


def test_the_last_question_counts() -> None:
    turns = (Turn("user", ("这是什么？",)), Turn("assistant", (SORRY,)), Turn("user", ("What is it?",)))
    assert TextDelta(0, SORRY) not in asked(CARD, *turns)
