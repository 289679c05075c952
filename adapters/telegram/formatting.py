"""Turns the Markdown that models write into a text and its entities, so that Telegram never has markup to stumble over.

Entities count UTF-16 units. Nothing in the result pings anybody: a mention is broken by an invisible character, and
only web links stay links.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from telegram import MessageEntity

from adapters.telegram.markdown import Span, read_markdown
from bot.sanitize import sanitize_text

MOST_ENTITIES = 100
MENTION = re.compile(r"(?<![A-Za-z0-9_])@(?=\w)")
GROWTH_OF_A_LINE = 4
WORD_JOINER = "\u2060"
VERBATIM = frozenset({MessageEntity.CODE, MessageEntity.PRE})
NOTHING = "…"  # Telegram takes no empty message


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text and its entities, as Telegram takes them."""

    text: str
    entities: tuple[MessageEntity, ...] = ()

    @property
    def units(self) -> int:
        return utf16_length(self.text)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def most_units(markdown: str) -> int:
    """The most UTF-16 units that the formatted text can take: mentions grow by one, lines by a list's number and a blank line."""
    return utf16_length(sanitize_text(markdown)) + markdown.count("@") + GROWTH_OF_A_LINE * (markdown.count("\n") + 1)


def format_markdown(markdown: str, footer: str = "", *, spoiler: bool = False, steps: str = "") -> Formatted:
    """`steps` stand below in a quotation that is folded, `footer` below that in italics; a spoiler covers everything, code too: that is
    plain then, or Telegram would show it."""
    source = sanitize_text(markdown)
    text, spans = read_markdown(source)
    if not text.strip():
        text, spans = source if source.strip() else NOTHING, []
    if steps:
        start = len(text) + 2
        text = f"{text}\n\n{sanitize_text(steps)}"
        spans.append(Span(start, len(text), MessageEntity.EXPANDABLE_BLOCKQUOTE))
    if footer:
        start = len(text) + 2
        text = f"{text}\n\n{footer}"
        spans.append(Span(start, len(text), MessageEntity.ITALIC))
    if spoiler:
        spans = [Span(0, len(text), MessageEntity.SPOILER), *(span for span in spans if span.kind not in VERBATIM)]
    return _finish(text, spans[:MOST_ENTITIES])


def plain(formatted: Formatted) -> Formatted:
    """The same words without any entity: code is no longer exempt from pinging."""
    return _finish(formatted.text, ())


def _finish(text: str, spans: Sequence[Span]) -> Formatted:
    verbatim = [span for span in spans if span.kind in VERBATIM]
    at_signs = [found.start() for found in MENTION.finditer(text)]
    joined = _join(text, [at for at in at_signs if not any(span.start <= at < span.end for span in verbatim)])
    shifted = (replace(span, start=joined.positions[span.start], end=joined.positions[span.end]) for span in spans)
    units = (0, *accumulate(2 if ord(letter) > 0xFFFF else 1 for letter in joined.text))
    return Formatted(joined.text, tuple(_entity(span, units) for span in shifted if span.end > span.start))


@dataclass(frozen=True, slots=True)
class _Joined:
    text: str
    positions: Sequence[int]  # where each character of the original stands now, and its end


def _join(text: str, at_signs: Sequence[int]) -> _Joined:
    """With an invisible character after each of these at signs."""
    broken = set(at_signs)
    pieces = [letter + WORD_JOINER if at in broken else letter for at, letter in enumerate(text)]
    return _Joined("".join(pieces), (0, *accumulate(map(len, pieces))))


def _entity(span: Span, units: Sequence[int]) -> MessageEntity:
    offset = units[span.start]
    return MessageEntity(span.kind, offset, units[span.end] - offset, url=span.url, language=span.language)
