"""How an answer came about, as the page gets it: probabilities, the chosen word always among them."""

from __future__ import annotations

from math import log

import pytest

from adapters.web.explanation_view import explanation_view
from bot.answers.explanations import Explanation
from engine.api import Alternative, BeamNode, TokenLogprobs


def test_each_word_stands_among_its_alternatives_likeliest_first() -> None:
    others = (Alternative(token="duck", logprob=log(0.5)), Alternative(token="goose", logprob=log(0.2)))
    word = TokenLogprobs(token="swan", logprob=log(0.05), top_logprobs=others)
    [shown] = explanation_view(Explanation(0.7, (word,), (), None, stopped=False))["tokens"]
    assert shown["token"] == "swan"
    assert [each["token"] for each in shown["top"]] == ["duck", "goose", "swan"]
    assert [each["p"] for each in shown["top"]] == pytest.approx([0.5, 0.2, 0.05])


def test_the_engine_says_which_beam_became_the_answer() -> None:
    chosen = BeamNode(text="A goose.", score=-1.0, parent=None, step=1, rank=0, choice=0)
    other = BeamNode(text="A duck.", score=-2.0, parent=None, step=1, rank=1)
    view = explanation_view(Explanation(None, (), (chosen, other), 1.0, stopped=True))
    assert [(node["text"], node["rank"], node["chosen"]) for node in view["beams"]] == [("A goose.", 0, True), ("A duck.", 1, False)]
    assert (view["temperature"], view["length_penalty"], view["stopped"]) == (None, 1.0, True)
