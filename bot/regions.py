"""Parts of a picture: nine cells, four halves, quarters or any rectangle; found in people's words, and named for people and models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.errors import Refusal

NEAR, FAR = (0, 450), (550, 1000)  # of a side, in thousandths: neighbours overlap, so that what lies between two is whole in one
MID, ALL = (275, 725), (0, 1000)
FIRST_HALF, SECOND_HALF = (0, 550), (450, 1000)
QUARTER, OTHER_QUARTER = (0, 560), (440, 1000)
LEAST: Final = 20  # thousandths of a side: what is smaller was drawn by accident


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in thousandths of a picture's sides. `name`: the last part of the keys `region.…`."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom

    @property
    def stored(self) -> str:
        return ",".join(map(str, self.box))

    @property
    def name(self) -> str:
        return NAMES.get(self, "box")

    @property
    def percent(self) -> str:
        """As people type it."""
        return ",".join(f"{edge / 10:g}" for edge in self.box)

    @property
    def told(self) -> str:
        """What a model is told that it is."""
        return "a part of it" if self.name == "box" else f"its {self.name.replace('_', ' ')}"


def _region(across: tuple[int, int], down: tuple[int, int]) -> Region:
    return Region(across[0], down[0], across[1], down[1])


GRID: Final = tuple(_region(across, down) for down in (NEAR, MID, FAR) for across in (NEAR, MID, FAR))
CELLS: Final = (
    "upper_left",
    "upper_middle",
    "upper_right",
    "middle_left",
    "middle",
    "middle_right",
    "lower_left",
    "lower_middle",
    "lower_right",
)
HALVES: Final = {
    "left": _region(FIRST_HALF, ALL),
    "right": _region(SECOND_HALF, ALL),
    "top": _region(ALL, FIRST_HALF),
    "bottom": _region(ALL, SECOND_HALF),
}
QUARTERS: Final = tuple(_region(across, down) for down in (QUARTER, OTHER_QUARTER) for across in (QUARTER, OTHER_QUARTER))
BY_NAME: Final = dict(zip(CELLS, GRID, strict=True)) | HALVES
NAMES: Final = {region: name for name, region in BY_NAME.items()} | dict(
    zip(QUARTERS, ("upper_left", "upper_right", "lower_left", "lower_right"), strict=True)
)

_PICTURE: Final = r"(?:picture|photo(?:graph)?|image|pic|screenshot|drawing|scene|film|frame|screen)"
_ENGLISH: Final = re.compile(
    r"\b(?:(?P<down>upper|top|lower|bottom|middle|cent(?:re|er))[\s-]+(?P<across>left|right|middle|cent(?:re|er))"
    r"|(?P<across2>left|right)[\s-]+(?P<down2>upper|top|lower|bottom)"
    r"|(?P<half>left|right|top|bottom|upper|lower)(?=[\s-]+(?:half|side|part|edge|corner|hand|third|area)\b|\s*[?.!,;:]*\s*$|\s+of\s+(?:the|this|that|my)\s+"
    + _PICTURE
    + r"\b|\s+(?:of\s+it|there|here)\b)"
    r"|(?P<middle>middle|cent(?:re|er)))(?:[\s-]+(?:half|side|part|edge|corner|hand|third|area|section))*"
    r"(?P<of>\s+of\s+(?:(?:the|this|that|my)\s+" + _PICTURE + r"|it)\b)?",
    re.IGNORECASE,
)
_PLACED: Final = re.compile(
    r"\b(?:in|at|on|to|near|from|around|towards?|inside)\s+(?:the\s+|its\s+)?(?:very\s+|far\s+|extreme\s+)?$", re.IGNORECASE
)
_OF_A_THING: Final = re.compile(r"\s+of\b", re.IGNORECASE)
_BOX: Final = re.compile(r"[\s,;]\s*".join([r"(\d{1,3}(?:\.\d+)?)%?"] * 4) + r"(?=\s|$)")
_FILLER: Final = re.compile(r"\b(?:in|at|on|to|into|the|its|of|please|corner|very|far|here)\b|[\s.,!?。，！？请請的看放大]+", re.IGNORECASE)
_CHINESE: Final = re.compile(
    r"(?:(?P<thing>[^图圖片照面相画畫中的，,。\s])?(?P<of>的))?(?:"
    r"(?P<corner>左上|右上|左下|右下|上左|上右|下左|下右)(?:方|角|边|邊|侧|側|部|面|处|處)*"
    r"|(?P<mid>正?中[间間央心]|中部)"
    r"|(?P<half>左|右|上|下|顶|頂|底)(?:半?(?:方|边|邊|侧|側|部|面)|半))"
)
_ACROSS: Final = {"left": "left", "right": "right", "middle": "middle", "center": "middle", "centre": "middle"}
_DOWN: Final = {
    "upper": "upper",
    "top": "upper",
    "lower": "lower",
    "bottom": "lower",
    "middle": "middle",
    "center": "middle",
    "centre": "middle",
}
_HALF: Final = {
    "upper": "top",
    "lower": "bottom",
    "左": "left",
    "右": "right",
    "上": "top",
    "下": "bottom",
    "顶": "top",
    "頂": "top",
    "底": "bottom",
}
_SIGNS: Final = {"左": "left", "右": "right", "上": "upper", "下": "lower"}


@dataclass(frozen=True, slots=True)
class NamedRegion:
    """A region with where its words stand in a text."""

    region: Region
    start: int
    end: int


def split_region(text: str) -> tuple[Region | None, str]:
    """The part that a person names, and what they ask about it: empty, where they only name it. Raises Refusal for a bad rectangle."""
    given = text.strip()
    if box := _BOX.match(given):
        return drawn(*(float(edge) for edge in box.groups())), given[box.end() :].strip()
    first, _, rest = given.partition(" ")
    name = first.lower().replace("-", "_")
    if name in BY_NAME and (("_" in name) or not rest):
        return BY_NAME[name], rest.strip()
    if first.isascii() and first.isdigit() and 1 <= int(first) <= len(GRID) and not rest:
        return GRID[int(first) - 1], ""
    named = find_region(given, strict=False)
    if named is None:
        return None, given
    others = _FILLER.sub("", given[: named.start] + " " + given[named.end :])
    return named.region, given if others else ""


def drawn(left: float, top: float, right: float, bottom: float) -> Region:
    """A rectangle in percent, in whatever order its corners were drawn. Raises Refusal for one that is too small, or outside."""
    (left, right), (top, bottom) = sorted((left, right)), sorted((top, bottom))
    edges = tuple(round(min(max(edge, 0), 100) * 10) for edge in (left, top, right, bottom))
    region = Region(*edges)
    if region.right - region.left < LEAST or region.bottom - region.top < LEAST:
        raise Refusal("zoom.too_small", least=LEAST / 10)
    return region


def stored_region(text: str) -> Region:
    """The region that `Region.stored` wrote."""
    left, top, right, bottom = map(int, text.split(","))
    return Region(left, top, right, bottom)


def find_region(text: str, *, strict: bool = True) -> NamedRegion | None:
    """The part of a picture that a text names; None: it names none, or only where things stand to each other.

    Not `strict`: the text is an answer to "which part?", and need not say "in the …".
    """
    for found in _ENGLISH.finditer(text):
        beside = not found["of"] and _OF_A_THING.match(text, found.end())
        if not beside and (not strict or _PLACED.search(text[: found.start()])):
            return NamedRegion(BY_NAME[_english(found)], found.start(), found.end())
    for found in _CHINESE.finditer(text):
        if not (strict and found["thing"]):
            return NamedRegion(BY_NAME[_chinese(found)], found.start("of") if found["of"] else found.start(), found.end())
    return None


def closer_note(regions: Sequence[Region]) -> str:
    """What a model is told below the parts that follow the whole picture."""
    names = list(dict.fromkeys(region.told for region in regions))
    if len(names) == 1:
        return f"The last picture shows a part of the one before it, enlarged: {names[0]}."
    return f"The last {len(names)} pictures show parts of the one before them, enlarged: {', '.join(names)}."


def without_region(text: str) -> str:
    """A question about a part, as it is asked of that part alone."""
    named = find_region(text)
    if named is None:
        return text
    before = re.sub(
        r"\b(?:in|at|on|to|near|from|around|towards?|inside)\s+(?:the\s+|its\s+)?(?:very\s+|far\s+|extreme\s+)?$",
        "",
        text[: named.start],
        flags=re.IGNORECASE,
    )
    if text[named.start : named.end].isascii():
        return f"{before}in the picture{text[named.end :]}"
    return f"{re.sub('[图圖照画畫][片面]?[里裡]?$', '', before)}图中{text[named.end :].removeprefix('的')}"


def _english(found: re.Match[str]) -> str:
    down, across = found["down"] or found["down2"], found["across"] or found["across2"]
    if down and across:
        row, column = _DOWN[down.lower()], _ACROSS[across.lower()]
        return "middle" if row == column == "middle" else f"{row}_{column}"
    return "middle" if found["middle"] else _HALF.get(found["half"].lower(), found["half"].lower())


def _chinese(found: re.Match[str]) -> str:
    if found["mid"]:
        return "middle"
    if found["corner"]:
        down, across = sorted((_SIGNS[sign] for sign in found["corner"]), key=lambda sign: sign in {"left", "right"})
        return f"{down}_{across}"
    return _HALF[found["half"]]
