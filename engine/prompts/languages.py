"""Tells when a question is in a language that the model does not speak, so that it says so instead of making things up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.models.card import Card
from engine.prompts.turn import Turn, words_of
from engine.writing import quoted_writing

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
KANA = re.compile(r"[\u3040-\u30ff]")
ENOUGH = 10_000  # characters to tell a language by
LATIN_WORD = re.compile(r"[^\W\d_\u0250-\U0010ffff]+")


def apology(card: Card, turns: Sequence[Turn]) -> str | None:
    """The card's sentence for the language of the last question, where the model does not speak it."""
    questions = [turn for turn in turns if turn.role == "user"]
    if not questions:
        return None
    language = language_of(quoted_writing(words_of(questions[-1]))[1][:ENOUGH])
    return None if language in card.languages else card.apologies.get(language)


def language_of(text: str) -> str:
    """BCP 47, as far as the script tells: `zh`, `ja`, else `und`. Single foreign words do not make a text foreign."""
    if KANA.search(text):
        return "ja"
    return "zh" if len(HAN.findall(text)) > 2 * len(LATIN_WORD.findall(text)) else "und"
