"""Suites on colours, counts, positions and full descriptions of drawn scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from engine.evaluation.cases import Case, Check
from engine.evaluation.held_out import HeldOut, Thing
from engine.evaluation.judges import COLOURS, OPPOSITE, Judge, colour, coloured, count, plain, scene, side
from engine.evaluation.scenes import OUTLINES, Backdrop, Spot, backdrop, beside, distinct_colours, draw_shapes, paste_things, scatter

SHAPES = tuple(OUTLINES)
MAX_COUNT = 6
SCENES = 96
COLOUR_QUESTIONS = ("What colour is the {}?", "What color is the {}?", "Which colour does the {} have?", "Tell me the color of the {}.")
DESCRIBE = ("Describe the picture.", "Describe this picture in detail.", "Please describe what you see.", "Can you describe this image?")
CORNERS = {
    ("above", "left"): (0.22, 0.22),
    ("above", "right"): (0.78, 0.22),
    ("below", "left"): (0.22, 0.78),
    ("below", "right"): (0.78, 0.78),
}

Coloured = tuple[int, str, str]  # count, colour, shape


def colours(held_out: HeldOut, random: Random) -> list[Case]:
    """One shape, or one of two, and photos of things whose caption tells their colour."""
    stamps = held_out.stamps  # read first: if the package is missing, nothing need be drawn
    cases = [_one_colour(random) for _ in range(SCENES // 2)] + [_one_of_two_colours(random) for _ in range(SCENES // 4)]
    cases += [_photo_colour(thing, hue, random) for thing in stamps if (hue := caption_colour(thing))]
    random.shuffle(cases)
    return cases


def counts(held_out: HeldOut, random: Random) -> list[Case]:
    """One to six: shapes of a kind, and OpenMoji's drawings of a kind, in turn."""
    single = (thing for thing in held_out.emoji if not thing.name.endswith("s"))  # one drawing of "cherries" shows two
    things = [thing for thing in single if thing.group.startswith(("animal", "food"))]
    cases = []
    for index in range(SCENES):
        number = 1 + index // 2 % MAX_COUNT
        cases.append(_count_shapes(number, random) if index % 2 else _count_things(number, random.choice(things), random))
    return cases


def positions(held_out: HeldOut, random: Random) -> Iterator[Case]:
    """Two shapes: on which side one is, and what is on one side; one shape in a corner."""
    makers = (_which_side, _what_is_there, _which_side, _corner)
    return (makers[index % len(makers)](random) for index in range(SCENES))


def descriptions(held_out: HeldOut, random: Random) -> Iterator[Case]:
    """One shape, several of one kind, two different ones: count, colour and shape of all, and nothing that isn't there."""
    for index in range(SCENES):
        one, two = two_shapes(random)
        things = [[one], [(random.randint(2, 4), *one[1:])], [one, two]][index % 3]
        paper = backdrop(random, (one[1], two[1]))
        yield shape_case(paper, things, random, [Check(random.choice(DESCRIBE), scene(things, paper.colour))])


def shape_case(paper: Backdrop, things: Sequence[Coloured], random: Random, checks: Sequence[Check], spots: Sequence[Spot] = ()) -> Case:
    """A scene of shapes, scattered unless their spots are given, and what is asked about it."""
    flat = [(hue, form) for number, hue, form in things for _ in range(number)]
    places = spots or scatter(random, len(flat), paper.width / paper.height)
    drawn = draw_shapes(paper, [(hue, form, spot) for (hue, form), spot in zip(flat, places, strict=True)], random)
    about = ", ".join(f"{number} {hue} {form}" for number, hue, form in things)
    return Case(f"{about} on {paper.kind} {paper.colour}", drawn, tuple(checks))


def thing_case(thing: Thing, random: Random, *checks: Check) -> Case:
    """The thing large on plain white."""
    picture = paste_things(Backdrop("white", "plain", 400, 400), [(thing.load(), Spot(0.5, 0.5, 0.45))], random)
    return Case(f"{thing.name} ({thing.group})", picture, checks)


def caption_colour(thing: Thing) -> str | None:
    """The colour that a caption tells first: "green apple". Animals are left out, whose names mislead (a "great blue heron" is grey)."""
    first, *rest = plain(thing.name).split()
    tells = bool(first in COLOURS and rest) and not set(rest) & set(COLOURS) and not rest[0].endswith("ed")
    return first if tells and not thing.group.startswith("animals") else None


def _photo_colour(thing: Thing, hue: str, random: Random) -> Case:
    """Asks of "it", because whether the model knows a gazania's name is another suite's question."""
    return thing_case(thing, random, Check(random.choice(("What colour is it?", "What color is this?")), colour(hue, "white")))


def _one_colour(random: Random) -> Case:
    hue, form = random.choice(list(COLOURS)), random.choice(SHAPES)
    paper = backdrop(random, (hue,))
    question = random.choice((*COLOUR_QUESTIONS, "What colour is this {}?")).format(random.choice((form, "shape")))
    return shape_case(paper, [(1, hue, form)], random, [Check(question, colour(hue, paper.colour))])


def _one_of_two_colours(random: Random) -> Case:
    (_, hue, form), other = pair = two_shapes(random)
    paper = backdrop(random, (hue, other[1]))
    return shape_case(paper, pair, random, [Check(random.choice(COLOUR_QUESTIONS).format(form), colour(hue, paper.colour))])


def _count_shapes(number: int, random: Random) -> Case:
    hue, form = random.choice(list(COLOURS)), random.choice(SHAPES)
    plural = "crosses" if form == "cross" else f"{form}s"
    question = random.choice((f"How many {plural} are there?", "How many shapes do you see?", f"Count the {plural}."))
    return shape_case(backdrop(random, (hue,)), [(number, hue, form)], random, [Check(question, count(number))])


def _count_things(number: int, thing: Thing, random: Random) -> Case:
    paper = Backdrop(random.choice(("white", "white", "yellow", "pink")), random.choice(("plain", "shaded")), 480, 360)
    kind = "animals" if thing.group.startswith("animal") and "plant" not in thing.group else "things"
    question = random.choice((f"How many {kind} are in the picture?", "How many things do you see?", "How many are there?"))
    drawing = thing.load()
    spots = scatter(random, number, paper.width / paper.height)
    picture = paste_things(paper, [(drawing, spot) for spot in spots], random)
    return Case(f"{number} {thing.name} (OpenMoji) on {paper.colour}", picture, (Check(question, count(number)),))


def _pair(random: Random, place: str, check: Check, ours: Coloured, other: Coloured) -> Case:
    paper = backdrop(random, (ours[1], other[1]))
    case = shape_case(paper, [ours, other], random, [check], beside(random, place, paper.width / paper.height))
    return Case(f"{case.about}, the first {place} the second", case.picture, case.checks)


def two_shapes(random: Random) -> tuple[Coloured, Coloured]:
    """Two different shapes in colours that nobody confuses."""
    (one, two), (first, second) = distinct_colours(random, 2), random.sample(SHAPES, 2)
    return (1, one, first), (1, two, second)


def _which_side(random: Random) -> Case:
    place = random.choice(list(OPPOSITE))
    ours, other = two_shapes(random)
    this, that = f"{ours[1]} {ours[2]}", f"{other[1]} {other[2]}"
    if place in ("left", "right"):
        questions = (f"Is the {this} on the left or on the right?", f"Is the {this} left or right of the {that}?")
    else:
        questions = (f"Is the {this} at the top or at the bottom?", f"Is the {this} above or below the {that}?")
    return _pair(random, place, Check(random.choice(questions), side(place)), ours, other)


def _what_is_there(random: Random) -> Case:
    place = random.choice(list(OPPOSITE))
    ours, other = two_shapes(random)
    where = {"left": "on the left", "right": "on the right", "above": "at the top", "below": "at the bottom"}[place]
    return _pair(random, place, Check(f"What is {where}?", only(ours, other)), ours, other)


def only(wanted: Coloured, other: Coloured) -> Judge:
    """The one shape in its colour, and not the other."""
    accepts = lambda answer: coloured(answer, *wanted[1:]) and not coloured(answer, *other[1:])  # noqa: E731
    return Judge(f"{wanted[1]} {wanted[2]}", accepts)


def _corner(random: Random) -> Case:
    (vertical, horizontal), (x, y) = random.choice(list(CORNERS.items()))
    hue, form = random.choice(list(COLOURS)), random.choice(SHAPES)
    paper = backdrop(random, (hue,))
    unit = min(paper.width, paper.height)
    spot = Spot(x * paper.width / unit, y * paper.height / unit, 0.16)
    both = Judge(f"{vertical} {horizontal}", lambda answer: side(vertical).accepts(answer) and side(horizontal).accepts(answer))
    return shape_case(paper, [(1, hue, form)], random, [Check(f"Where is the {form}?", both)], [spot])
