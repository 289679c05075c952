"""Runs a program over a picture, line by line, within limits on questions to the model and on time. Nothing of it is ever run as Python."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

from bot.errors import BotError
from bot.regions import BY_NAME, Region, find_region
from bot.steps.language import PICTURE, Call, Program

MOST_LOOKS: Final = 40  # questions to the model about the picture or a part of it, and readings
MOST_SECONDS: Final = 180.0
WHOLE: Final = Region(0, 0, 1000, 1000)
EDGES: Final = (0, 333, 667, 1000)
TILES: Final = tuple(Region(left, top, right, bottom) for top, bottom in pairwise(EDGES) for left, right in pairwise(EDGES))
TILE_NAMES: Final = dict(zip(TILES, list(BY_NAME)[:9], strict=True))
LONGEST_RESULT: Final = 160  # characters that the trace shows of a result
NUMBERS: Final = {
    **{word: number for number, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))},
    **{sign: number for number, sign in enumerate("零一二三四五六七八九十")},
    **dict.fromkeys(("no", "none", "没", "沒"), 0),
    **dict.fromkeys(("a", "an", "single"), 1),
    **dict.fromkeys(("both", "两", "兩"), 2),
}
_NUMBER: Final = re.compile(
    r"\d{1,3}|\b(?:" + "|".join(word for word in NUMBERS if word.isascii()) + r")\b|[零一二两兩三四五六七八九十没沒]", re.IGNORECASE
)
_UNSURE: Final = re.compile(r"\bI don't see anything\b|\bnothing\b", re.IGNORECASE)


class StepFailed(BotError):
    """A step gave nothing to go on with, or too much to do: the plain answer is given instead. Its words are for logs."""


@dataclass(frozen=True, slots=True)
class Things:
    """What was found: in which parts of the picture, and how many in each."""

    name: str
    places: tuple[tuple[Region, int], ...]

    @property
    def count(self) -> int:
        return sum(number for _, number in self.places)

    @property
    def middle(self) -> tuple[float, float]:
        """Where they stand on the whole, in thousandths."""
        total = self.count or 1
        across = sum((region.left + region.right) / 2 * number for region, number in self.places)
        down = sum((region.top + region.bottom) / 2 * number for region, number in self.places)
        return across / total, down / total


Result = Region | Things | int | bool | str


@dataclass(frozen=True, slots=True)
class Step:
    """A line that ran, and what it gave, as people read it."""

    line: str
    result: str


class Tools(Protocol):
    """What a program may do."""

    @property
    def large(self) -> bool:
        """Whether the picture has to be looked at part by part to see what is small in it."""
        ...

    async def ask(self, region: Region, question: str) -> str:
        """The model's answer about this part of the picture."""
        ...

    async def read(self, region: Region) -> str:
        """What is written in this part."""
        ...


@dataclass
class Run:
    """One run of a program. `steps` grows; `tell` is called after each."""

    program: Program
    tools: Tools
    tell: Callable[[], None] = lambda: None
    steps: list[Step] = field(default_factory=list)
    looks: int = 0

    async def answer(self) -> Result:
        """Raises StepFailed where a step gives nothing, or a limit is met."""
        results: dict[str, Result] = {PICTURE: WHOLE}
        try:
            async with asyncio.timeout(MOST_SECONDS):
                for call in self.program.calls:
                    results[call.name] = await self._step(call, results)
                    self.steps.append(Step(str(call), shown(results[call.name])))
                    self.tell()
        except TimeoutError:
            raise StepFailed(f"It took longer than {MOST_SECONDS:g} s.") from None
        return results[self.program.answer]

    async def _step(self, call: Call, results: Mapping[str, Result]) -> Result:
        given = [each.value if each.is_text else results[each.value] for each in call.arguments]
        match call.function, given:
            case "find", [Region() as part, str(what)]:
                return await self._find(part, what)
            case "crop", [part, *where]:
                return _crop(_part(part), str(where[0]) if where else "")
            case "ask", [part, str(question)]:
                return await self._ask(_part(part), question)
            case "read", [part]:
                return await self._read(_part(part))
            case "count", [Things() as things]:
                return things.count
            case "exists", [Things() as things]:
                return things.count > 0
            case "where", [Things() as things] if things.count:
                return place_of(things.middle)
            case "compare", [one, str(relation), other]:
                return compare(one, relation, other)
        raise StepFailed(f"Nothing came of {call!s}.")

    async def _find(self, part: Region, what: str) -> Things:
        """A large picture is searched tile by tile."""
        tiles = [within(part, tile) for tile in TILES] if self.tools.large else [part]
        places = []
        for tile in tiles:
            answer = await self._ask(tile, how_many(what))
            if number := number_in(answer):
                places.append((tile, number))
        return Things(what, tuple(places))

    async def _ask(self, region: Region, question: str) -> str:
        self._look()
        answer = (await self.tools.ask(region, question)).strip()
        if not answer:
            raise StepFailed(f"Nothing came of {question}.")
        return answer

    async def _read(self, region: Region) -> str:
        self._look()
        words = (await self.tools.read(region)).strip()
        if not words:
            raise StepFailed("Nothing came of read.")
        return words

    def _look(self) -> None:
        self.looks += 1
        if self.looks > MOST_LOOKS:
            raise StepFailed(f"It took more than {MOST_LOOKS} looks.")


def compare(one: Result, relation: str, other: Result) -> bool:
    """Raises StepFailed where it can't be told: nothing was found, or both stand alike."""
    if isinstance(one, Things) and isinstance(other, Things):
        if relation in {"left of", "right of", "above", "below"}:
            return _beside(one, relation, other)
        one, other = one.count, other.count
    numbers = [value for value in (one, other) if isinstance(value, int)]
    if len(numbers) == 2 and relation in {"more than", "fewer than", "as many as"}:
        return numbers[0] > numbers[1] if relation == "more than" else numbers[0] < numbers[1] if relation == "fewer than" else one == other
    raise StepFailed(f"Nothing came of compare {relation}.")


def _beside(one: Things, relation: str, other: Things) -> bool:
    axis = 0 if relation in {"left of", "right of"} else 1
    distance = one.middle[axis] - other.middle[axis]
    if not (one.count and other.count) or abs(distance) < EDGES[1] / 2:  # in one row or column of tiles
        raise StepFailed(f"Nothing came of compare {relation}.")
    return distance < 0 if relation in {"left of", "above"} else distance > 0


def _part(value: Result | str) -> Region:
    """A part, or the one where most of what was found stands. Raises StepFailed."""
    if isinstance(value, Region):
        return value
    if isinstance(value, Things) and value.places:
        return max(value.places, key=lambda place: place[1])[0]
    raise StepFailed("Nothing came of crop.")


def _crop(part: Region, where: str) -> Region:
    if not where:
        return part
    named = find_region(where, strict=False)
    if named is None:
        raise StepFailed(f"Nothing came of crop {where}.")
    return within(part, named.region)


def within(part: Region, inner: Region) -> Region:
    """A part of a part, in thousandths of the whole."""
    width, height = part.right - part.left, part.bottom - part.top
    across = (part.left + width * edge // 1000 for edge in (inner.left, inner.right))
    down = (part.top + height * edge // 1000 for edge in (inner.top, inner.bottom))
    (left, right), (top, bottom) = across, down
    return Region(left, top, right, bottom)


def place_of(middle: tuple[float, float]) -> str:
    across, down = middle
    tile = next(tile for tile in TILES if tile.left <= across <= tile.right and tile.top <= down <= tile.bottom)
    return TILE_NAMES[tile].replace("_", " ")


def how_many(what: str) -> str:
    """The question of how many there are, in the language of what is counted."""
    if any("\u4e00" <= sign <= "\u9fff" for sign in what):
        return f"图中有几个{what}？"
    return f"How many {plural(what)} are there?"


def plural(what: str) -> str:
    what = re.sub(r"^(?:a|an|the)\s+", "", what.strip(), flags=re.IGNORECASE)
    if what.lower().split()[-1] in {"people", "children", "men", "women", "sheep", "fish", "mice", "geese", "feet", "deer"}:
        return what
    if what.endswith("s") and not what.endswith(("ss", "us")):
        return what
    return what + ("es" if what.endswith(("s", "x", "ch", "sh", "cross")) else "s")


def number_in(answer: str) -> int:
    """The first number that an answer says; none = 0."""
    if _UNSURE.search(answer):
        return 0
    found = _NUMBER.search(answer)
    if found is None:
        return 0
    return int(found[0]) if found[0].isdigit() else NUMBERS[found[0].lower()]


def shown(result: Result) -> str:
    """A result as the trace says it."""
    if isinstance(result, Things):
        return ", ".join(f"{name_of(region)}: {number}" for region, number in result.places) or "0"
    if isinstance(result, Region):
        return name_of(result)
    if isinstance(result, bool):
        return "yes" if result else "no"
    text = " ".join(str(result).split())
    return text if len(text) <= LONGEST_RESULT else f"{text[: LONGEST_RESULT - 1]}…"


def name_of(region: Region) -> str:
    if region == WHOLE:
        return "whole picture"
    name = TILE_NAMES.get(region, region.name)
    return f"part {region.percent} %" if name == "box" else name.replace("_", " ")
