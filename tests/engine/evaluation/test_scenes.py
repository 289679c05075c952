"""Drawn scenes show what their case says: checked by looking at pixels."""

import math
from collections import Counter
from random import Random

import pytest
from PIL import Image

from engine.evaluation.scenes import (
    CLOSE,
    OUTLINES,
    TONES,
    Backdrop,
    Spot,
    backdrop,
    beside,
    distinct_colours,
    draw_shapes,
    paste_things,
    scatter,
)

WHITE = Backdrop("white", "plain", 300, 300)


def near(pixel: tuple[int, ...], colour: str) -> bool:
    return any(max(abs(a - b) for a, b in zip(pixel, tone, strict=True)) < 12 for tone in TONES[colour])


def blobs(picture: Image.Image, colour: str) -> int:
    """How many connected regions have the colour."""
    small = picture.resize((100, 100), Image.Resampling.NEAREST)
    wanted = {(x, y) for x in range(100) for y in range(100) if near(pixel_at(small, x, y), colour)}
    found = 0
    while wanted:
        found += 1
        edge = [wanted.pop()]
        while edge:
            x, y = edge.pop()
            for neighbour in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if neighbour in wanted:
                    wanted.remove(neighbour)
                    edge.append(neighbour)
    return found


def pixel_at(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    pixel = picture.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize("shape", OUTLINES)
def test_a_shape_fills_its_spot_in_its_colour(shape: str) -> None:
    picture = draw_shapes(WHITE, [("red", shape, Spot(0.5, 0.5, 0.4))], Random(1))
    assert near(pixel_at(picture, 150, 150), "red")
    assert near(pixel_at(picture, 5, 5), "white")
    red = Counter(near(pixel_at(picture, x, y), "red") for x in range(0, 300, 5) for y in range(0, 300, 5))
    assert 0.1 < red[True] / red.total() < 0.55


class FirstInTheMiddle(Random):
    """Draws the largest spots, and puts the first into the middle, where no other fits beside it."""

    drawn = 0

    def uniform(self, a: float, b: float) -> float:
        self.drawn += 1
        if self.drawn == 1:
            return b
        return (a + b) / 2 if self.drawn <= 3 else super().uniform(a, b)


def test_a_first_spot_that_leaves_no_place_is_drawn_anew() -> None:
    one, two = scatter(FirstInTheMiddle(0), 2, 1.0)
    assert (one.x, one.y) != (0.5, 0.5)
    assert (one.x - two.x) ** 2 + (one.y - two.y) ** 2 > (2.2 * 0.24) ** 2


@pytest.mark.parametrize("number", range(1, 7))
def test_scattered_shapes_stay_apart_and_inside(number: int) -> None:
    for seed in range(10):
        random = Random(seed)
        picture = draw_shapes(WHITE, [("blue", "circle", spot) for spot in scatter(random, number, 1.0)], random)
        assert blobs(picture, "blue") == number


@pytest.mark.parametrize(("place", "axis", "sign"), [("left", "x", -1), ("right", "x", 1), ("above", "y", -1), ("below", "y", 1)])
def test_beside_means_what_it_says(place: str, axis: str, sign: int) -> None:
    for aspect in (0.75, 1.0, 1.5):
        first, second = beside(Random(3), place, aspect)
        assert math.copysign(1, getattr(first, axis) - getattr(second, axis)) == sign
        assert abs(getattr(first, axis) - getattr(second, axis)) > first.radius + second.radius


def test_no_shape_is_drawn_on_a_colour_like_its_own() -> None:
    for seed in range(200):
        random = Random(seed)
        colours = distinct_colours(random, 2)
        paper = backdrop(random, colours)
        assert paper.colour not in colours
        assert not {frozenset((paper.colour, colour)) for colour in colours} & CLOSE
        assert frozenset(colours) not in CLOSE


def test_a_cutout_keeps_the_backdrop_around_it() -> None:
    cutout = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    cutout.paste((30, 80, 200, 255), (10, 10, 30, 30))
    picture = paste_things(WHITE, [(cutout, Spot(0.5, 0.5, 0.25))], Random(1))
    assert near(pixel_at(picture, 150, 150), "blue") or pixel_at(picture, 150, 150) == (30, 80, 200)
    assert near(pixel_at(picture, 20, 20), "white")


def test_the_same_seed_draws_the_same_scene() -> None:
    def drawn() -> bytes:
        random = Random(7)
        return draw_shapes(Backdrop("green", "shaded", 320, 240), [("red", "star", Spot(0.5, 0.5, 0.3))], random).tobytes()

    assert drawn() == drawn()
