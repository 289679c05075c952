"""Suite on follow-ups: five questions about one picture, each referring to what was said before."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from engine.evaluation.cases import Case, Check
from engine.evaluation.held_out import HeldOut
from engine.evaluation.judges import COLOURS, Judge, colour, coloured, count, yes_no
from engine.evaluation.scenes import backdrop, beside
from engine.evaluation.suites.naming import a
from engine.evaluation.suites.shapes import SHAPES, only, shape_case, two_shapes

CONVERSATIONS = 20


def follow_ups(held_out: HeldOut, random: Random) -> Iterator[Case]:
    """Scenes of a group of shapes, and of two shapes side by side, in turn."""
    return (_about_a_group(random) if index % 2 else _about_a_pair(random) for index in range(CONVERSATIONS))


def _about_a_group(random: Random) -> Case:
    hue, (form, absent) = random.choice(list(COLOURS)), random.sample(SHAPES, 2)
    number, paper = random.randint(2, 5), backdrop(random, (hue,))
    checks = [
        Check("What is in this picture?", Judge(f"{hue} {form}", lambda answer: coloured(answer, hue, form))),
        Check("How many are there?", count(number)),
        Check("And what colour are they?", colour(hue, paper.colour)),
        Check(f"Is there {a(absent)} too?", yes_no(False, [absent])),
        Check("What colour is the background?", colour(paper.colour, hue)),
    ]
    return shape_case(paper, [(number, hue, form)], random, checks)


def _about_a_pair(random: Random) -> Case:
    (_, hue, form), other = left, right = two_shapes(random)
    paper = backdrop(random, (hue, other[1]))
    checks = [
        Check("What is on the left?", only(left, right)),
        Check("And on the right?", only(right, left)),
        Check(f"Is there {a(form)} in the picture?", yes_no(True, [form])),
        Check("What colour is it?", colour(hue, paper.colour)),
        Check("How many shapes are there in all?", count(2)),
    ]
    return shape_case(paper, [left, right], random, checks, beside(random, "left", paper.width / paper.height))
