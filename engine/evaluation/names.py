"""Which names of a thing count as right; the model and the classifier alone are judged by the same table.

A caption such as "A great blue heron." accepts its noun phrase and every shorter end of it ("blue heron", "heron"), and
what `names.tsv` adds to any of these.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from engine.evaluation.judges import plain

MAX_WORDS = 5
CAPTION = re.compile(r"(?:An?|Some|The) ([^.,!()]+?)(?: \([^)]*\))?[.!]")
MEASURE = re.compile(r"^(?:pair|bunch|cluster|head|string|plant|baby|quarter|slice) of (?:a |an |common )?")
APPENDIX = re.compile(r" (?:with|in|at|inside|covered|hatched|making|used|resembles)\b.*")


def noun_phrase(caption: str) -> str | None:
    """What a caption names: "great blue heron". None for captions that are more than an article and up to five words."""
    found = CAPTION.fullmatch(caption.strip())
    if not found or len(found[1].split()) > MAX_WORDS:
        return None
    phrase = re.sub(r"[“”\"]", "", plain(found[1]))
    return APPENDIX.sub("", MEASURE.sub("", phrase))


def accepted(phrase: str) -> frozenset[str]:
    """The names that are right for a noun phrase, in lower case."""
    words = plain(phrase).split()
    ends = {" ".join(words[at:]) for at in range(len(words))}
    return frozenset(ends.union(*(others().get(end, ()) for end in ends)))


@cache
def others() -> dict[str, tuple[str, ...]]:
    """Further names by name, from `names.tsv`."""
    lines = files("engine.evaluation").joinpath("names.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return {plain(name): tuple(plain(other) for other in rest.split(",")) for name, rest in pairs}
