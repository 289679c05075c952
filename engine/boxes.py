"""Where things are in a picture, as each family of models says it: read out of answers, and asked for in the family's own words. No torch.

An answer is anybody's words: whatever a model writes, what comes out are a bounded number of boxes inside the picture, with short names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, Literal

from engine.api import NamedBox

Form = Literal["percent", "pixels", "thousandths", "known"]
MOST: Final = 30  # boxes of one answer
LONGEST_NAME: Final = 60  # characters
LONGEST_TEXT: Final = 20_000  # characters of an answer that are looked through
LEAST: Final = 0.002  # of a side: what is smaller is no thing
TAGGED: Final = re.compile(r"(?:<p>([^<>]{0,200})</p>\s{0,3})?((?:\{(?:<-?\d{1,6}(?:\.\d{1,4})?>\s?){4}\}(?:<delim>)?)+)")
NUMBER: Final = re.compile(r"-?\d{1,6}(?:\.\d{1,4})?")
TAG: Final = re.compile(r"</?p>|<delim>")
OBJECT: Final = re.compile(r"\{[^{}]{0,400}\}")
ANY: Final = frozenset({"all", "any", "anything", "everything", "object", "shape", "thing"})
SMALL: Final = frozenset({"a", "an", "and", "of", "one", "or", "the"})
JSON_QUESTION: Final = 'Locate every instance of "{what}" in the image. Report bbox coordinates in JSON format.'


@dataclass(frozen=True)
class Places:
    """How a family says where things are, and how it is asked."""

    form: Form
    question: str


PLACES: Final = {
    "minigpt_v2": Places("percent", "[refer] give me the location of {what}"),
    "qwen2_5_vl": Places("pixels", JSON_QUESTION),
    "qwen3_vl": Places("thousandths", JSON_QUESTION),
    "pocket": Places("known", "Where is the {what}?"),
}
"""By a card's architecture."""


@dataclass(frozen=True)
class Sight:
    """What tells how an answer's boxes are meant: the form, the pixels in which the newest picture was seen, what was asked for, and what
    the model's own detector found."""

    form: Form
    size: tuple[int, int] = (0, 0)
    asked: str = ""
    known: tuple[NamedBox, ...] = ()

    def boxes(self, text: str) -> tuple[NamedBox, ...]:
        """The boxes that an answer gives, in its order."""
        if self.form == "known":
            return tuple(box for box in self.known if self.asked and is_called(self.asked, box.name))[:MOST]
        scale = {"percent": (100, 100), "thousandths": (1000, 1000)}.get(self.form, self.size)
        found = tagged(text[:LONGEST_TEXT]) if self.form == "percent" else written_as_json(text[:LONGEST_TEXT])
        return tuple(bounded(found, scale, self.asked))

    def plain(self, text: str) -> str:
        """The answer without its coordinates; empty: it was nothing else."""
        if self.form == "percent":
            return " ".join(TAG.sub("", TAGGED.sub(lambda found: found[1] or "", text)).split(" ")).strip()
        if self.form == "known":
            return text
        return around_json(text)


def tagged(text: str) -> Iterator[tuple[str, Sequence[float]]]:
    """MiniGPT-v2's: `<p>a dog</p> {<10><20><30><40>}<delim>{<…>}`."""
    for found in TAGGED.finditer(text):
        for numbers in found[2].split("}"):
            edges = [float(number) for number in NUMBER.findall(numbers)]
            if len(edges) == 4:
                yield found[1] or "", edges


def written_as_json(text: str) -> Iterator[tuple[str, Sequence[float]]]:
    """Qwen-VL's: `[{"bbox_2d": [10, 20, 30, 40], "label": "dog"}]`, also of a list that was cut off."""
    for found in OBJECT.finditer(text):
        try:
            said: Any = json.loads(found[0])
        except (ValueError, RecursionError):
            continue
        edges = said.get("bbox_2d", said.get("bbox"))
        if isinstance(edges, list) and len(edges) == 4 and all(type(edge) in (int, float) for edge in edges):
            yield str(said.get("label", "")), edges


def around_json(text: str) -> str:
    """What stands before and after the list of boxes; one that was cut off ends the text."""
    first = text.find('"bbox')
    fence, begins = text.rfind("```", 0, first), (at for at in (text.find("[", 0, first), text.find("{", 0, first)) if at >= 0)
    start = fence if fence >= 0 else min(begins, default=first)
    after = text[max(text.rfind(end) + len(end) for end in ("```", "]", "}")) :]
    cut = "bbox" in after or text.count("[") > text.count("]") or text.count("{") > text.count("}")
    return f"{text[:start].strip()} {'' if cut else after.strip()}".strip()


def bounded(found: Iterator[tuple[str, Sequence[float]]], scale: tuple[int, int], asked: str) -> Iterator[NamedBox]:
    """Those that lie in the picture, each once, at most MOST; one without a name has that of what was asked for."""
    seen: set[NamedBox] = set()
    for name, edges in found:
        if len(seen) == MOST:
            return
        box = within(name or asked, edges, scale)
        if box is not None and box not in seen:
            seen.add(box)
            yield box


def within(name: str, edges: Sequence[float], scale: tuple[int, int]) -> NamedBox | None:
    """The part of a box that lies in the picture; None: there is none."""
    if not all(scale) or not all(map(isfinite, edges)):
        return None
    left, right = sorted(min(max(edge / scale[0], 0.0), 1.0) for edge in edges[::2])
    top, bottom = sorted(min(max(edge / scale[1], 0.0), 1.0) for edge in edges[1::2])
    if right - left < LEAST or bottom - top < LEAST:
        return None
    short = " ".join(name.split())[:LONGEST_NAME]
    return NamedBox(name=short, left=round(left, 4), top=round(top, 4), right=round(right, 4), bottom=round(bottom, 4))


def is_called(asked: str, name: str) -> bool:
    """Whether a thing of this name is what was asked for, in simple English: all words of the question are in it."""
    wanted = words(asked)
    return bool(wanted & ANY) or (bool(wanted) and wanted <= words(name))


def words(text: str) -> frozenset[str]:
    return frozenset(word if len(word) < 4 else word.removesuffix("s") for word in re.findall(r"[a-z]+", text.lower()) if word not in SMALL)
