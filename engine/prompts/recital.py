"""Answers questions about writing with the writing itself, for a model that can't make sense of it: the pocket model.

Such a model never reads the quotation: it was not taught to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.images.decode import Picture
from engine.models.card import Card
from engine.prompts.turn import Turn, words_of
from engine.writing import asks_to_read, fenced, is_page, language_of, quoted_writing


def recital(card: Card, turns: Sequence[Turn]) -> str | None:
    """What the card says of writing that was quoted with the newest picture; None: it says nothing, or the question isn't about writing."""
    shown = [turn for turn in turns if any(isinstance(part, Picture) for part in turn.parts)]
    if not card.recitals or not shown or turns[-1].role != "user":
        return None
    words, _ = quoted_writing(words_of(shown[-1]))
    _, question = quoted_writing(words_of(turns[-1]))
    if not words or not (is_page(words) or asks_to_read(question)):
        return None
    language = language_of(question)
    said = card.recitals.get(language, card.recitals.get("en", ""))
    return said.replace("{words}", fenced(words)) or None


def without_quotes(card: Card, turns: Sequence[Turn]) -> Sequence[Turn]:
    """The turns as the model reads them: a card with recitals has a model that makes nothing of quoted writing."""
    if not card.recitals:
        return turns
    return [replace(turn, parts=tuple(filter(None, map(_unquoted, turn.parts)))) for turn in turns]


def _unquoted(part: str | Picture) -> str | Picture:
    return quoted_writing(part)[1] if isinstance(part, str) else part
