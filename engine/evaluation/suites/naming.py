"""Suites on naming: what a thing is, and whether there is one, in photo cutouts, photos and drawings of an unseen style."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from engine.evaluation.cases import Case, Check
from engine.evaluation.held_out import HeldOut, Thing
from engine.evaluation.judges import COLOURS, names, yes_no
from engine.evaluation.names import accepted
from engine.evaluation.scenes import backdrop
from engine.evaluation.suites.shapes import SHAPES, shape_case, thing_case

DRAWINGS = 100
PRESENCE_PAIRS = 25  # of each of the three kinds of picture
ANIMAL_QUESTIONS = ("What animal is this?", "What animal do you see?", "Which animal is in the picture?")
THING_QUESTIONS = ("What is this?", "What do you see in the picture?", "What's in this picture?")


def animals(held_out: HeldOut, random: Random) -> list[Case]:
    """Clean photos of animals: the stamps', cut out and on white, and scikit-image's cat."""
    cases = [_naming(thing, ANIMAL_QUESTIONS, random) for thing in held_out.stamps if _is_animal(thing)]
    cases.append(Case("cat (chelsea.png)", held_out.photo("chelsea.png"), (Check(ANIMAL_QUESTIONS[0], names(accepted("cat"))),)))
    random.shuffle(cases)
    return cases


def cutouts(held_out: HeldOut, random: Random) -> list[Case]:
    """The stamps' other photos, and the scikits' photos of one thing."""
    cases = [_naming(thing, THING_QUESTIONS, random) for thing in held_out.stamps if not _is_animal(thing)]
    photos = {"coffee": held_out.photo("coffee.png"), "rocket": held_out.photo("rocket.jpg"), "flower": held_out.flower()}
    cases += [Case(name, photo, (Check(THING_QUESTIONS[0], names(accepted(name))),)) for name, photo in photos.items()]
    random.shuffle(cases)
    return cases


def drawings(held_out: HeldOut, random: Random) -> list[Case]:
    """OpenMoji's things."""
    return [_naming(thing, THING_QUESTIONS, random) for thing in random.sample(held_out.emoji, DRAWINGS)]


def presence(held_out: HeldOut, random: Random) -> list[Case]:
    """Asks of each picture for a thing that is there and for one that isn't: shapes, photo cutouts and drawings in turn."""
    photos, emoji = _plainly_named(held_out.stamps, random), _plainly_named(held_out.emoji, random)
    cases = []
    for photo, drawing in zip(photos[:PRESENCE_PAIRS], emoji[:PRESENCE_PAIRS], strict=True):
        cases += _shape_presence(random) + _thing_presence(photo, photos, random) + _thing_presence(drawing, emoji, random)
    return cases


def _naming(thing: Thing, questions: tuple[str, ...], random: Random) -> Case:
    return thing_case(thing, random, Check(random.choice(questions), names(accepted(thing.name))))


def _is_animal(thing: Thing) -> bool:
    return thing.group.startswith("animals")


def _plainly_named(things: Sequence[Thing], random: Random) -> list[Thing]:
    """Things whose name is one singular word, each name once, shuffled."""
    by_name = {thing.name: thing for thing in things if thing.name.isalpha() and not thing.name.endswith("s")}
    return random.sample(list(by_name.values()), len(by_name))


def _presence(case: Case, there: str, absent: str) -> list[Case]:
    checks = [Check(f"Is there {a(name)} in the picture?", yes_no(name == there, [name])) for name in (there, absent)]
    return [Case(case.about, case.picture, (check,)) for check in checks]


def a(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _shape_presence(random: Random) -> list[Case]:
    hue, (form, absent) = random.choice(list(COLOURS)), random.sample(SHAPES, 2)
    return _presence(shape_case(backdrop(random, (hue,)), [(random.randint(1, 3), hue, form)], random, ()), form, absent)


def _thing_presence(thing: Thing, others: list[Thing], random: Random) -> list[Case]:
    strangers = [other for other in others if other.group != thing.group and not accepted(other.name) & accepted(thing.name)]
    return _presence(thing_case(thing, random), thing.name, random.choice(strangers).name)
