"""Scores of an answer's words against what it should say: exact match and F1 as SQuAD has them, CIDEr-D as COCO's captions.

CIDEr is computed here: the package that carries it (pycocoevalcap) brings 100 MB of Java beside its 200 lines. The numbers are its.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ARTICLES = frozenset({"a", "an", "the"})
LONGEST = 4  # words of CIDEr's longest runs
SIGMA = 6.0  # words by which a length may differ before it costs much
CIDER_SCALE = 10.0

Run = tuple[str, ...]


@dataclass(frozen=True)
class TextScores:
    """Of one answer: `exact` 0 or 1, `f1` from 0 to 1, `cider` from 0 to 10."""

    exact: float
    f1: float
    cider: float


def words(text: str) -> list[str]:
    """In lower case without punctuation; of Chinese, Japanese and Korean each character is one."""
    spaced = "".join(
        f" {letter} " if is_ideograph(letter) else "" if unicodedata.category(letter)[0] == "P" else letter for letter in text.lower()
    )
    return spaced.split()


def is_ideograph(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(
        ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE")
    )


def plain(text: str) -> list[str]:
    """SQuAD's normalised words: without articles."""
    return [word for word in words(text) if word not in ARTICLES]


def exact(answer: str, references: Iterable[str]) -> float:
    return float(any(plain(answer) == plain(reference) for reference in references))


def f1(answer: str, references: Iterable[str]) -> float:
    """The best over the references."""
    return max((overlap(plain(answer), plain(reference)) for reference in references), default=0.0)


def overlap(said: Sequence[str], wanted: Sequence[str]) -> float:
    """The harmonic mean of precision and recall, of words as often as they occur; without any words 1 where both have none."""
    if not said or not wanted:
        return float(said == wanted)
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted))


def score_all(answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[TextScores]:
    """One score an answer, each against all that may be said there. CIDEr weighs words by how rare they are among all references."""
    ciders = cider(answers, references)
    return [
        TextScores(exact(answer, wanted), f1(answer, wanted), found)
        for answer, wanted, found in zip(answers, references, ciders, strict=True)
    ]


def cider(answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each answer (Vedantam et al. 2015): runs of one to four words, weighed, clipped, and less for another length."""
    counted = [[runs(words(reference)) for reference in wanted] for wanted in references]
    seen = Counter(run for wanted in counted for run in {run for each in wanted for run in each})
    rarest = math.log(max(len(references), 1))

    def weighed(counts: Counter[Run]) -> list[dict[Run, float]]:
        vectors: list[dict[Run, float]] = [{} for _ in range(LONGEST)]
        for run, count in counts.items():
            vectors[len(run) - 1][run] = count * (rarest - math.log(max(1, seen[run])))
        return vectors

    def alike(answer: Counter[Run], wanted: Counter[Run]) -> float:
        delta = pairs_of(answer) - pairs_of(wanted)
        each = [cosine(ours, theirs) for ours, theirs in zip(weighed(answer), weighed(wanted), strict=True)]
        return math.exp(-(delta**2) / (2 * SIGMA**2)) * sum(each) / LONGEST

    return [
        CIDER_SCALE * sum(alike(runs(words(answer)), each) for each in wanted) / max(len(wanted), 1)
        for answer, wanted in zip(answers, counted, strict=True)
    ]


def runs(said: Sequence[str]) -> Counter[Run]:
    """All runs of one to LONGEST words, as often as they occur."""
    return Counter(tuple(said[at : at + length]) for length in range(1, LONGEST + 1) for at in range(len(said) - length + 1))


def pairs_of(counts: Counter[Run]) -> int:
    """By which the published code measures lengths: the number of two-word runs."""
    return sum(count for run, count in counts.items() if len(run) == 2)


def cosine(ours: dict[Run, float], theirs: dict[Run, float]) -> float:
    """Ours clipped to theirs, so that nothing is won by repeating."""
    norms = math.hypot(*ours.values()) * math.hypot(*theirs.values())
    found = sum(min(weight, theirs[run]) * theirs[run] for run, weight in ours.items() if run in theirs)
    return found / norms if norms else 0.0
