"""The page of how an answer came about: everything stands in it, nothing in it is taken for markup, and it loads nothing."""

from __future__ import annotations

import json
import re

import pytest

from bot.insight.how import How
from bot.insight.how_page import content_security_policy, how_page
from bot.texts import LANGUAGES, load_texts
from engine.api import BeamNode
from tests.bot.insight.explained import explained, patch

BEAMS = (
    BeamNode(text="A", score=-0.5, parent=None, step=1),
    BeamNode(text="A cat", score=-0.7, parent=0, step=2),
    BeamNode(text="A <dog", score=-1.2, parent=0, step=2),
    BeamNode(text="A cat", score=-0.9, parent=1, step=3, rank=-0.3, choice=0),
    BeamNode(text="A <dog", score=-1.5, parent=2, step=3, rank=-0.5),
)


def page(language: str = "en", **more: object) -> str:
    return how_page(How("Is <this> a cat?", explained(), **more), load_texts(), language)  # type: ignore[arg-type]


def test_the_page_tells_words_chances_places_ids_and_cost() -> None:
    shown = page()
    for told in ("Is &lt;this&gt; a cat?", "4 × 4 patches, read into 2 tokens", "“&lt;i&gt;cat”: 75 % likely", "25 % of its attention"):
        assert told in shown, told
    assert shown.count("It looked mostly at the lower right.") == 1
    assert "Query 1<br>mostly at the upper left" in shown
    assert "What↵<sub>7</sub>" in shown
    assert '<span class="block block-0">picture 1: 2 tokens</span>' in shown
    assert "tiny took 250 ms" in shown
    maps = json.loads(re.findall(r'id="maps">(.*?)</script>', shown)[0])
    assert len(maps["words"]) == 3


def test_it_begins_with_the_word_that_looked_most_and_dims_no_picture_for_one_that_did_not_look() -> None:
    whole = explained()
    blind = whole.answer[0].model_copy(update={"looked": ((0.0,) * 16,), "on_pictures": 0.5})
    shown = how_page(How("?", whole.model_copy(update={"answer": (blind, *whole.answer[1:])})), load_texts(), "en")
    assert re.findall(r'data-word="(\d)" aria-pressed="true"', shown) == ["1"]
    assert re.findall(r'<section id="told-(\d)">', shown) == ["1"]
    assert json.loads(re.findall(r'id="maps">(.*?)</script>', shown)[0])["words"][0] == [""]


def test_what_a_model_says_is_no_markup() -> None:
    shown = page(beams=BEAMS, length_penalty=1.0)
    assert "<i>cat" not in shown
    assert "<b>dog" not in shown
    assert "<dog" not in shown


def test_a_search_shows_its_drafts_and_its_tree() -> None:
    shown = page(beams=BEAMS, length_penalty=1.0)
    assert shown.index("<q>A cat</q>") < shown.index("<q>A &lt;dog</q>")
    assert "★ chosen" in shown
    assert "What the beams weighed" not in page()


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_needs_no_network_in_any_language(language: str) -> None:
    shown = page(language)
    assert f'<html lang="{language}">' in shown
    assert not re.search(r'(src|href)="(?!data:)', shown)
    assert content_security_policy() in shown
    assert "default-src 'none'" in content_security_policy()


def test_a_model_that_gives_no_places_is_said_to_give_none() -> None:
    whole = explained()
    bare = whole.pictures[0].model_copy(update={"rows": 0, "columns": 0, "maps": (), "taken": (), "layers": ()})
    shown = how_page(How("?", whole.model_copy(update={"pictures": (bare,), "complete": False})), load_texts(), "en")
    assert "does not say where" in shown
    assert "Where each query looked" not in shown
    assert "Only the answer&#x27;s first 3 tokens" in shown


def test_of_an_eye_without_queries_its_own_attention_is_shown() -> None:
    whole = explained()
    eye = whole.pictures[0].model_copy(update={"maps": (), "taken": (), "layers": (), "eye": patch(0, 3)})
    shown = how_page(How("?", whole.model_copy(update={"pictures": (eye,)})), load_texts(), "en")
    assert "Picture 1: mostly at the upper right." in shown
    assert 'data-query="eye"' in shown
    assert "Where each query looked" not in shown
    assert "What the eye itself attended to" not in page()
