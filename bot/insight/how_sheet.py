"""How an answer came about as one picture, for platforms that show pictures and no pages; and the same in words, for everyone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Final

from PIL import Image

from bot.insight.how import How, placed
from bot.insight.how_page import percent
from bot.insight.map_sheet import sheet
from bot.insight.where import where
from bot.sanitize import escape_markdown
from bot.texts import Texts
from engine.explanation import ExplainedAnswer, ExplainedToken, Map

WORDS, COLUMNS, SIDE, LETTERS = 5, 3, 300, 20  # how many; pixels
LONGEST: Final = 30  # letters of a word
IDEOGRAPHS: Final = "\u2e80"  # from here on a letter is a word


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the answer, of one token or several. `looked`: for each picture, the sum of what its tokens looked at."""

    text: str
    probability: float
    looked: tuple[Map, ...]


@dataclass(frozen=True, slots=True)
class HowSheet:
    """`image` None: nothing was shown. `lines` say the same as the picture."""

    image: Image.Image | None
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """In Markdown."""
        return "\n".join(map(escape_markdown, self.lines))


def how_sheet(how: How, texts: Texts, language: str) -> HowSheet:
    """The picture as the model got it, then the words that looked at it most, each with its chance."""
    explained, number = how.explained, most_seen(how.explained)
    seen = explained.pictures[number] if explained.pictures else None
    shown = seen is not None and placed(seen)
    chosen = main_words(explained, number if shown else None)
    lines = [texts.render(language, "how.sheet" if shown else "how.sheet_words", model=explained.model)]
    for at, word in enumerate(chosen, 1):
        values: dict[str, str | int] = {"number": at, "word": word.text, "share": percent(word.probability)}
        if seen is not None and shown:
            values["place"] = where(texts, language, word.looked[number], seen.rows, seen.columns)
        lines.append(texts.render(language, "how.sheet_looked" if shown else "how.sheet_word", **values))
    if seen is None:
        return HowSheet(None, tuple(lines))
    whole = ("", (1.0,) * max(1, seen.rows * seen.columns))
    tiles = [whole, *((caption(at, word), word.looked[number]) for at, word in enumerate(chosen, 1))] if shown else [whole]
    bare = seen if shown else seen.model_copy(update={"rows": 1, "columns": 1})
    return HowSheet(sheet(bare, tiles, columns=min(COLUMNS, len(tiles)), side=SIDE, letters=LETTERS), tuple(lines))


def caption(number: int, word: Word) -> str:
    """The line below a tile. The font has no ideographs: such words stand in the text alone, by their number."""
    named = f"{number}. {word.text}" if all(letter < "\u0250" for letter in word.text) else f"{number}."
    return f"{named}  {percent(word.probability)}"


def most_seen(explained: ExplainedAnswer) -> int:
    """The picture that the whole answer looked at most."""
    looks = [sum(sum(token.looked[number]) for token in explained.answer if token.looked) for number in range(len(explained.pictures))]
    return looks.index(max(looks)) if looks else 0


def main_words(explained: ExplainedAnswer, picture: int | None, most: int = WORDS) -> list[Word]:
    """Those that looked most at this picture, else the least sure ones, at most so many; in the answer's order."""
    words = [word for word in words_of(explained.answer) if any(map(str.isalnum, word.text))]
    if picture is None:
        chosen = sorted(words, key=lambda word: word.probability)[:most]
    else:
        chosen = sorted((word for word in words if any(word.looked[picture])), key=lambda word: -sum(word.looked[picture]))[:most]
    return [word for word in words if any(word is each for each in chosen)]


def words_of(answer: Sequence[ExplainedToken]) -> Iterator[Word]:
    """Puts tokens together that are pieces of one word. Its chance is the product of theirs."""
    pieces = list(answer[:1])
    for before, token in pairwise(answer):
        if not joins(before.text, token.text):
            yield joined(pieces)
            pieces = []
        pieces.append(token)
    if pieces:
        yield joined(pieces)


def joins(before: str, after: str) -> bool:
    """Whether a piece goes on with the word before it."""
    return all(letter.isalnum() and letter < IDEOGRAPHS for letter in (before[-1:] or " ", after[:1] or " "))


def joined(pieces: Sequence[ExplainedToken]) -> Word:
    text = "".join(token.text for token in pieces).strip()[:LONGEST]
    looks = zip(*(token.looked for token in pieces), strict=True)
    looked = tuple(tuple(map(sum, zip(*maps, strict=True))) for maps in looks)
    return Word(text, prod(token.probability for token in pieces), looked)
