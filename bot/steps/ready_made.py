"""Programs for questions of usual kinds, for models that can't write one themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from bot.regions import find_region, without_region
from bot.steps.language import MOST_TEXT, PICTURE, Program, ProgramError, parse

_END: Final = r"(?:\s+(?:in|on|at|of)\s+(?:the|this|that)\s+(?:picture|photo|image|scene)|\s+there|\s+here)*\s*[?.!？。！]*\s*"
_THING: Final = r"(?:(?:the|a|an|any|some)\s+)?(?P<{}>[\w' -]{{1,60}}?)"


def _pattern(text: str) -> re.Pattern[str]:
    filled = re.sub(r"@(\w+)", lambda found: _THING.format(found[1]), text)
    return re.compile(filled + _END, re.IGNORECASE)


BESIDE: Final = {
    "left": "left of",
    "right": "right of",
    "above": "above",
    "over": "above",
    "below": "below",
    "under": "below",
    "beneath": "below",
}
Made = Callable[[re.Match[str]], str]


def _counted(found: re.Match[str]) -> str:
    return f'things = find({PICTURE}, "{found["what"]}")\nnumber = count(things)\nanswer(number)'


def _compared(found: re.Match[str]) -> str:
    relation = {"more": "more than", "fewer": "fewer than", "less": "fewer than"}.get((found["how"] or "").lower(), "as many as")
    return _both(found, relation)


def _beside(found: re.Match[str]) -> str:
    return _both(found, BESIDE[found["how"].split()[-1].lower()])


def _both(found: re.Match[str], relation: str) -> str:
    first, second = (f'{name} = find({PICTURE}, "{found[name]}")' for name in ("one", "other"))
    return f'{first}\n{second}\nresult = compare(one, "{relation}", other)\nanswer(result)'


def _placed(found: re.Match[str]) -> str:
    return f'things = find({PICTURE}, "{found["what"]}")\nplace = where(things)\nanswer(place)'


def _there(found: re.Match[str]) -> str:
    return f'things = find({PICTURE}, "{found["what"]}")\nresult = exists(things)\nanswer(result)'


KINDS: Final[tuple[tuple[re.Pattern[str], Made], ...]] = (
    (_pattern(r"how many @what(?:\s+(?:are|is|do you see|can you see|can be seen|stand|do|can))?"), _counted),
    (_pattern(r"count @what"), _counted),
    (_pattern(r"are there (?P<how>more|fewer|less) @one than @other"), _compared),
    (_pattern(r"are there (?P<how>as) many @one as @other"), _compared),
    (
        _pattern(
            r"(?:is|are|stands?|does) @one(?:\s+stand)?\s+(?:to the )?(?P<how>left|right|above|over|below|under|beneath)(?: of)? @other"
        ),
        _beside,
    ),
    (_pattern(r"where (?:is|are) @what"), _placed),
    (_pattern(r"(?:is|are) there (?!as\b|more\b|fewer\b|less\b)@what"), _there),
    (
        re.compile(r"(?:图|圖)?(?:片)?(?:中|里|裡)?(?:一共)?有(?:几|幾|多少)[个個只隻条條张張辆輛]?(?P<what>[^？?。吗嗎]{1,30})[？?。]*"),
        _counted,
    ),
    (re.compile(r"(?P<what>[^？?。在]{1,30})在(?:哪里|哪裡|哪儿|哪兒|什么地方|什麼地方)[？?。]*"), _placed),
)
READS: Final = re.compile(r"\b(?:read|written|writing|says?|text|spell\w*)\b|[写寫]|文字|[读讀]", re.IGNORECASE)


def ready_made(question: str) -> Program | None:
    """The program for a question of a usual kind; None: there is none."""
    asked = " ".join(question.replace('"', "'").split())
    text = next((made(found) for kind, made in KINDS if (found := kind.fullmatch(asked))), None) or _about_a_part(asked)
    try:
        return parse(text) if text else None
    except ProgramError:
        return None


def _about_a_part(question: str) -> str | None:
    """Reading, or asking about, a part that the question names."""
    named = find_region(question)
    if named is None:
        return f"words = read({PICTURE})\nanswer(words)" if READS.search(question) else None
    crop = f'part = crop({PICTURE}, "{named.region.name.replace("_", " ")}")'
    if READS.search(question):
        return f"{crop}\nwords = read(part)\nanswer(words)"
    return f'{crop}\nsaid = ask(part, "{without_region(question)[:MOST_TEXT]}")\nanswer(said)'
