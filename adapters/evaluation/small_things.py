"""Draws scenes of 2,000 pixels with small shapes and signs whose truth is known, and asks about them: whole, looked at closer, in steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from bot.steps.interpreter import number_in

WIDTH, HEIGHT = 2000, 1500
RADIUS: Final = 34  # pixels of a shape: 3 to 4 in an eye of 224
JITTER: Final = 0.04  # of a side, around the middle of a cell
SHAPES: Final = ("circle", "square", "triangle")
COLOURS: Final = ("red", "green", "blue", "yellow", "black")
CORNERS: Final = {"upper left": (0, 0), "upper right": (2, 0), "lower left": (0, 2), "lower right": (2, 2)}
WORDS: Final = ("BAKERY", "EXIT", "POST OFFICE", "OPEN", "CLOSED", "PLATFORM 9", "LIBRARY", "TAXI")
LETTERS: Final = 26  # pixels of a sign's letters

Thing = tuple[str, str]  # colour and shape


@dataclass(frozen=True)
class SceneQuestion:
    """A question about a scene. `truth`: words that a right answer holds, a number, or yes and no; `wrong`: words that it does not hold."""

    kind: str
    picture: bytes  # PNG
    text: str
    truth: tuple[str, ...] | int | bool
    wrong: tuple[str, ...] = ()

    def right(self, answer: str) -> bool:
        said = answer.lower()
        if isinstance(self.truth, bool):
            return said.strip().startswith("yes" if self.truth else "no")
        if isinstance(self.truth, int):
            return number_in(answer) == self.truth
        return all(word.lower() in said for word in self.truth) and not any(word.lower() in said for word in self.wrong)


class Scene:
    """A white scene of nine cells, which holds one thing each at most, at a random place in its cell."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
        self.ink = ImageDraw.Draw(self.picture)

    def middle(self, column: int, row: int) -> tuple[float, float]:
        x, y = (column + 0.5) * WIDTH / 3, (row + 0.5) * HEIGHT / 3
        return x + self.random.uniform(-JITTER, JITTER) * WIDTH, y + self.random.uniform(-JITTER, JITTER) * HEIGHT

    def draw(self, thing: Thing, cell: tuple[int, int]) -> None:
        (colour, shape), (x, y), r = thing, self.middle(*cell), RADIUS
        if shape == "circle":
            self.ink.ellipse((x - r, y - r, x + r, y + r), colour)
        elif shape == "square":
            self.ink.rectangle((x - r, y - r, x + r, y + r), colour)
        else:
            self.ink.polygon(((x, y - r), (x - r, y + r), (x + r, y + r)), colour)

    def sign(self, text: str, font: Path, cell: tuple[int, int]) -> None:
        self.ink.text(self.middle(*cell), text, "black", ImageFont.truetype(font, LETTERS), anchor="mm")

    @property
    def png(self) -> bytes:
        data = BytesIO()
        self.picture.save(data, "PNG", compress_level=1)
        return data.getvalue()


def zoom_questions(count: int, random: Random) -> Iterator[SceneQuestion]:
    """So many about what stands in a corner, and about its colour; other things stand in the other cells."""
    for number in range(2 * count):
        scene, corner = Scene(random), random.choice(sorted(CORNERS))
        wanted, others = _one(random), [cell for cell in _cells() if cell != CORNERS[corner]]
        scene.draw(wanted, CORNERS[corner])
        for cell in random.sample(others, 4):
            scene.draw(_one(random, but=wanted), cell)
        if number % 2:
            yield SceneQuestion("what stands in a corner", scene.png, f"What is in the {corner} corner?", wanted)
        else:
            rest = tuple(colour for colour in COLOURS if colour != wanted[0])
            yield SceneQuestion("its colour", scene.png, f"What colour is the small shape in the {corner} corner?", wanted[:1], rest)


def step_questions(count: int, random: Random, font: Path) -> Iterator[SceneQuestion]:
    """So many of each kind: counting, relations, reading."""
    for _ in range(count):
        yield _counting(random)
        yield _relation(random)
        yield _reading(random, font)


def _counting(random: Random) -> SceneQuestion:
    scene, wanted = Scene(random), _one(random)
    cells = random.sample(_cells(), 6)
    number = random.randrange(1, 6)
    for at, cell in enumerate(cells):
        scene.draw(wanted if at < number else _one(random, but=wanted), cell)
    return SceneQuestion("counting", scene.png, f"How many {' '.join(wanted)}s are there?", number)


def _relation(random: Random) -> SceneQuestion:
    scene, one = Scene(random), _one(random)
    other = _one(random, but=one)
    columns = random.sample(range(3), 2)
    for thing, column in zip((one, other), columns, strict=True):
        scene.draw(thing, (column, random.randrange(3)))
    side = random.choice(("left", "right"))
    text = f"Is the {' '.join(one)} to the {side} of the {' '.join(other)}?"
    return SceneQuestion("relation", scene.png, text, (columns[0] < columns[1]) == (side == "left"))


def _reading(random: Random, font: Path) -> SceneQuestion:
    scene, corners = Scene(random), random.sample(sorted(CORNERS), 3)
    signs = random.sample(WORDS, 3)
    for sign, corner in zip(signs, corners, strict=True):
        scene.sign(sign, font, CORNERS[corner])
    return SceneQuestion("reading", scene.png, f"What is written in the {corners[0]} corner?", (signs[0],), tuple(signs[1:]))


def _one(random: Random, but: Thing | None = None) -> Thing:
    things = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    return random.choice([each for each in things if but is None or not set(each) & set(but)])


def _cells() -> list[tuple[int, int]]:
    return [(column, row) for row in range(3) for column in range(3)]
