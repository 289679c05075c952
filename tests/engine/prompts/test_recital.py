"""The pocket model says the words that were read, and does not read their quotation."""

from __future__ import annotations

import pytest
from PIL import Image

from engine.images.decode import Picture
from engine.models.card import Card
from engine.prompts.languages import apology
from engine.prompts.recital import recital, without_quotes
from engine.prompts.turn import Turn
from engine.weights.pocket import CARD
from engine.writing import quote_writing
from tests.engine.tiny import tiny_card

POCKET = Card.model_validate_json(CARD.read_text("utf-8"))
PICTURE = Picture(Image.new("RGB", (3, 3)), "c" * 64)
BUG = "def total(prices):\n    return sum(prices) / 0  # 总和"


def shown(words: str, question: str) -> Turn:
    return Turn("user", (PICTURE, quote_writing(words), question))


@pytest.mark.parametrize(("question", "begins"), [("What is the bug?", "It says:"), ("哪里有错误？", "上面写着：")])
def test_a_question_about_code_gets_the_code(question: str, begins: str) -> None:
    said = recital(POCKET, [shown(BUG, question)])
    assert said is not None
    assert said.startswith(begins)
    assert f"```\n{BUG}\n```" in said


def test_what_is_not_about_writing_is_answered_by_the_model_without_the_quotation() -> None:
    turns = [shown("OPEN", "What does it say?"), Turn("assistant", ("It says OPEN.",)), Turn("user", ("What colour is it?",))]
    assert recital(POCKET, turns) is None
    assert without_quotes(POCKET, turns)[0].parts == (PICTURE, "What does it say?")
    assert recital(POCKET, [Turn("user", ("What does it say?",))]) is None
    assert apology(POCKET, [shown(BUG, "这是什么颜色？")]) == POCKET.apologies["zh"]  # the quotation's language does not count


def test_a_model_that_can_think_is_given_the_quotation() -> None:
    turns = [shown(BUG, "What is the bug?")]
    assert recital(tiny_card(), turns) is None
    assert without_quotes(tiny_card(), turns) == turns
