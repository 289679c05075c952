"""Tells when a question is in a language that the model does not speak, so that it says so instead of making things up."""

from __future__ import annotations

from collections.abc import Sequence

from engine.models.card import Card
from engine.prompts.turn import Turn, words_of
from engine.writing import language_of, quoted_writing

ENOUGH = 10_000  # characters to tell a language by


def apology(card: Card, turns: Sequence[Turn]) -> str | None:
    """The card's sentence for the language of the last question, where the model does not speak it."""
    questions = [turn for turn in turns if turn.role == "user"]
    if not questions:
        return None
    language = language_of(quoted_writing(words_of(questions[-1]))[1][:ENOUGH])
    return None if language in card.languages else card.apologies.get(language)
