"""How writing that was read in a picture is shown to people and to the model: the same words, quoted, and trusted by nobody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bot.store.graph import Turn
from engine.writing import asks_to_read, is_page, quote_writing

MOST: Final = 4_000  # characters that are quoted to a model: of more, the first
LEFT_OUT: Final = "[…]"

# What common templates mark turns and pictures with. Our own engine breaks up its model's markers in all that people say; other servers
# may not, and these are a stranger's words.
_MARKERS: Final = re.compile(
    r"<[|｜][^|｜<>\n]{1,40}[|｜]>|\[/?INST\]|<</?SYS>>|</?s>(?=\s*(?:\[INST\]|$))|<(?:start|end)_of_(?:turn|image)>|<end_of_utterance>"
    r"|<(?:image|img|imagehere|video)>|###(?=\s*(?:human|assistant)\s*:)",
    re.IGNORECASE | re.MULTILINE,
)


def neutralise(text: str) -> str:
    """The words without what could pass for a template's markers: a space parts them."""
    while True:
        broken = _MARKERS.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
        if broken == text:
            return text
        text = broken


def needed(words: str, questions: Iterable[str]) -> bool:
    """Whether any of these questions needs the words of its picture."""
    return bool(words) and (is_page(words) or any(map(asks_to_read, questions)))


def quotes(turns: Sequence[Turn], words: Mapping[str, str], most: int = MOST) -> dict[int, str]:
    """By the turn's id, what the model is told of the writing in its pictures: where a question since then needs it.

    `words`: of pictures, by sha256. Of more than `most` characters in all, the newest pictures have the first ones. What was told once
    stays told while the conversation grows, so that the engine finds it in its cache.
    """
    found, questions, left = dict[int, str](), list[str](), most
    for turn in reversed(turns):
        questions += [turn.text] if turn.role == "user" else []
        parts = [words[sha256] for sha256 in turn.sha256s if needed(words.get(sha256, ""), questions)]
        if parts and left > 0:
            told = [shortened(each, left) for each in parts]
            found[turn.id] = "".join(map(quote_writing, told))
            left -= sum(map(len, told))
    return found


def shortened(words: str, most: int) -> str:
    """The first lines, with a mark where some are left out."""
    if len(words) <= most:
        return words
    kept = words[:most]
    return f"{kept[: max(kept.rfind(chr(10)), 0)] or kept}\n{LEFT_OUT}"
