"""Decides whether an answer is right, by rules that a person can read. A rule is strict wherever a person would be.

A word counts only as a whole word and only where its clause does not deny it: "not a dog" names no dog. A judge says
yes or no to an answer's text; `wanted` says in words what it looks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

COLOURS = {
    "red": ("red",), "orange": ("orange",), "yellow": ("yellow",), "green": ("green",), "blue": ("blue",),
    "purple": ("purple", "violet"), "pink": ("pink",), "brown": ("brown",), "black": ("black",), "white": ("white",),
    "grey": ("grey", "gray"),
}  # fmt: skip
SHAPES = {
    "circle": ("circle", "disc", "disk"), "square": ("square",), "triangle": ("triangle",), "star": ("star",), "heart": ("heart",),
    "diamond": ("diamond", "rhombus"), "rectangle": ("rectangle",), "oval": ("oval", "ellipse"), "hexagon": ("hexagon",),
    "cross": ("cross", "crosses", "plus sign", "plus"),
}  # fmt: skip
SIDES = {
    "left": ("left",), "right": ("right",),
    "above": ("above", "top", "over", "upper", "higher"), "below": ("below", "bottom", "under", "underneath", "beneath", "lower"),
}  # fmt: skip
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

CLAUSE_END = re.compile(r"[.,;:!?\n]|\bbut\b|\binstead\b|\bit'?s\b")
DENIAL = re.compile(r"\b(?:not|no|never|nor|neither|without|cannot)\b|n't\b")
UNSURE = re.compile(
    r"\bnot (?:quite |really |entirely |so |completely )?(?:sure|certain)\b|\bunsure\b|\bno idea\b|\bhard to (?:say|tell)\b|\bunable to\b"
    r"|\b(?:can't|cannot|can not|couldn't|could not|don't|do not|didn't) "
    r"(?:quite |really |actually )?(?:be sure|tell|say|read|recogni[sz]e|name|make out|see (?:what|who)|identify|know|understand)\b"
)
GUESSES = re.compile(r"\b(?:(?:may|might|could) be|perhaps|maybe|possibly)\b[^.,]*?(,|\bor\b)|(\bor\b)")
YES, NO = re.compile(r"^\W*(?:yes|yeah|yep)\b"), re.compile(r"^\W*(?:no|nope)\b")
ABSENT = re.compile(r"\b(?:there(?:'s| is| are|'re) (?:no|not)|isn't|aren't|is not|are not|(?:don't|do not|can't|cannot) see)\b")


@dataclass(frozen=True)
class Judge:
    """A rule, and in `wanted` the right answer in words, for the list of failures."""

    wanted: str
    accepts: Callable[[str], bool]


def plain(text: str) -> str:
    """Lower case, straight quotes, hyphens as spaces, single spaces."""
    text = text.lower().replace("’", "'").replace("‘", "'").replace("-", " ")
    return re.sub(r"[ \t]+", " ", text).strip()


def says(answer: str, word: str) -> bool:
    """Whether the answer has the word or its plural, as a whole word, in a clause that does not deny it."""
    text, word = plain(answer), plain(word)
    forms = rf"{re.escape(word[:-1])}(?:y|ys|ies)" if word.endswith("y") else rf"{re.escape(word)}(?:s|es)?"
    return any(not _denied(text, found.start()) for found in re.finditer(rf"\b{forms}\b", text))


def says_any(answer: str, words: Iterable[str]) -> bool:
    return any(says(answer, word) for word in words)


def _denied(text: str, at: int) -> bool:
    ends = [found.end() for found in CLAUSE_END.finditer(text, 0, at)]
    return bool(DENIAL.search(text, ends[-1] if ends else 0, at))


def said(answer: str, words: Mapping[str, Collection[str]]) -> set[str]:
    """Which of the things in the table (thing → its names) the answer speaks of."""
    return {thing for thing, names in words.items() if says_any(answer, names)}


def is_unsure(answer: str) -> bool:
    """Whether the answer admits that it does not know. A guess after the admission changes nothing."""
    return bool(UNSURE.search(plain(answer)))


def names(accepted: Collection[str]) -> Judge:
    """Names the thing. A hedged guess counts, as EfficientNet's own best guess does; of several guesses only the first."""
    return Judge(" / ".join(sorted(accepted)), lambda answer: says_any(first_guess(answer), accepted))


def first_guess(answer: str) -> str:
    """The answer up to where a list of guesses goes on: "it may be a dog" of "it may be a dog, a bison or a lion"."""
    text = plain(answer)
    found = GUESSES.search(text)
    return text[: found.start(found.lastindex or 0)] if found else text


def colour(wanted: str, background: str = "") -> Judge:
    """That colour and no other, except that the background may be mentioned."""
    return Judge(
        wanted, lambda answer: said(answer, COLOURS) - {background} == {wanted} - {background} and says_any(answer, COLOURS[wanted])
    )


def numbers(answer: str) -> set[int]:
    """The numbers an answer gives, in digits or words; "a" and "an" are no numbers."""
    text = plain(answer)
    spelled = {NUMBERS.index(word) for word in NUMBERS if says(text, word)}
    return spelled | {int(found[0]) for found in re.finditer(r"\b\d+\b", text) if not _denied(text, found.start())}


def count(wanted: int) -> Judge:
    """That number and no other; one thing may also be "a" thing."""

    def accepts(answer: str) -> bool:
        alone = wanted == 1 and bool(re.search(r"\b(?:a|an|single)\b", plain(answer))) and not is_unsure(answer)
        return numbers(answer) == {wanted} or (not numbers(answer) and alone)

    return Judge(str(wanted), accepts)


def side(wanted: str) -> Judge:
    """left, right, above or below, and not its opposite."""
    return Judge(wanted, lambda answer: says_any(answer, SIDES[wanted]) and not says_any(answer, SIDES[OPPOSITE[wanted]]))


def yes_no(wanted: bool, thing: Collection[str] = ()) -> Judge:
    """A clear yes or no, or in other words that the thing is there or not. "I'm not sure" is neither."""
    return Judge("yes" if wanted else "no", lambda answer: verdict(answer, thing) is wanted)


def verdict(answer: str, thing: Collection[str]) -> bool | None:
    text = plain(answer)
    if YES.search(text):
        return True
    if NO.search(text):
        return False
    if is_unsure(text):
        return None
    return True if says_any(text, thing) else False if ABSENT.search(text) else None


def coloured(answer: str, hue: str, shape: str) -> bool:
    """Whether the answer gives the shape that colour: "a red, filled star", "the stars are red"."""
    text = plain(answer)
    hues, forms = ("|".join(map(re.escape, table)) for table in (COLOURS[hue], SHAPES[shape]))
    before = rf"\b(?:{hues}),?(?: \w+,?){{0,2}}? (?:{forms})(?:s|es)?\b"
    after = rf"\b(?:{forms})(?:s|es)?(?: that)? (?:is|are)(?: \w+)? (?:{hues})\b"
    return any(not _denied(text, found.start()) for found in re.finditer(f"{before}|{after}", text))


def scene(things: Collection[tuple[int, str, str]], background: str) -> Judge:
    """A full description: every (count, colour, shape), and no colour or shape that isn't there."""
    hues, forms = {hue for _, hue, _ in things}, {form for _, _, form in things}

    def accepts(answer: str) -> bool:
        whole = all(coloured(answer, hue, form) and (number == 1 or number in numbers(answer)) for number, hue, form in things)
        return whole and said(answer, SHAPES) == forms and said(answer, COLOURS) - {background} == hues - {background}

    counted = ", ".join(f"{number} {hue} {form}" for number, hue, form in things)
    return Judge(f"{counted} on {background}", accepts)


def unsure() -> Judge:
    return Judge("not sure", is_unsure)


def unsure_or(accepted: Collection[str]) -> Judge:
    """Admits not knowing, or is right after all."""
    right = names(accepted)
    return Judge(f"not sure, or {right.wanted}", lambda answer: is_unsure(answer) or right.accepts(answer))


def sure() -> Judge:
    return Judge("any answer but not sure", lambda answer: bool(answer.strip()) and not is_unsure(answer))


def chinese_apology() -> Judge:
    """One short Chinese sentence or two that speak of English, and nothing in Latin letters."""

    def accepts(answer: str) -> bool:
        chinese = len(re.findall(r"[\u4e00-\u9fff]", answer))
        return 5 <= chinese <= 60 and "英" in answer and not re.search(r"[A-Za-z]", answer)

    return Judge("a short Chinese sentence: only English", accepts)


def loops(answer: str) -> bool:
    """Whether the same four words come three times, or one word five times in a row."""
    words = re.findall(r"\w+", answer.lower())
    grams = [tuple(words[at : at + 4]) for at in range(len(words) - 3)]
    repeated = any(grams.count(gram) >= 3 for gram in set(grams))
    return repeated or any(len(set(words[at : at + 5])) == 1 for at in range(len(words) - 4))
