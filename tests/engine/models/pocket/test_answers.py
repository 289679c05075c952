"""Forty questions about pictures, answered by the real pocket model as the engine runs it and judged: four in five must hold.

Right counts, and where EfficientNet may honestly have no idea so does "I'm not sure". Everything is drawn here or lies in
`pictures/` (see ATTRIBUTION.md there); nothing is fetched but the model itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from engine.core.build import build_engine
from engine.evaluation.chat import as_received
from engine.evaluation.judges import Judge, colour, count, is_unsure, names, scene, side, unsure, yes_no
from engine.evaluation.names import accepted
from engine.evaluation.scenes import Backdrop, Spot, beside, draw_shapes, scatter
from engine.models.base import VisionLanguageModel
from engine.prompts.turn import Turn
from engine.request import Request
from engine.weights.loader import load
from tests.engine.core.requests import run

PICTURES = Path(__file__).parents[2] / "pictures"
PAPER = (300, 300)


@dataclass(frozen=True)
class Pair:
    """`may_be_unsure`: a sensible person accepts "I'm not sure" as well."""

    picture: Image.Image
    question: str
    judge: Judge
    may_be_unsure: bool = False


def shapes(hue: str, form: str, number: int = 1, background: str = "white") -> Image.Image:
    random = Random(f"{hue} {form} {number}")
    spots = [Spot(0.5, 0.5, 0.3)] if number == 1 else scatter(random, number, 1.0)
    return draw_shapes(Backdrop(background, "plain", *PAPER), [(hue, form, spot) for spot in spots], random)


def pair(first: tuple[str, str], place: str, second: tuple[str, str]) -> Image.Image:
    """The first thing left, right, above or below the second."""
    spots = beside(Random(place), place, 1.0)
    return draw_shapes(Backdrop("white", "plain", *PAPER), [(*first, spots[0]), (*second, spots[1])], Random(place))


def sign(text: str) -> Image.Image:
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).text((200, 100), text, fill="black", font=ImageFont.load_default(52), anchor="mm")
    return picture


def photo(name: str) -> Image.Image:
    return Image.open(PICTURES / f"{name}.jpg")


def colour_pairs() -> list[Pair]:
    drawn = [
        ("red", "circle"),
        ("green", "square"),
        ("blue", "star"),
        ("yellow", "triangle"),
        ("orange", "hexagon"),
        ("purple", "heart"),
        ("black", "cross"),
    ]
    return [Pair(shapes(hue, form), f"What colour is the {form}?", colour(hue, "white")) for hue, form in drawn]


def count_pairs() -> list[Pair]:
    drawn = [
        (1, "red", "star"),
        (2, "blue", "circle"),
        (3, "green", "triangle"),
        (4, "purple", "heart"),
        (5, "orange", "square"),
        (6, "black", "circle"),
    ]
    return [Pair(shapes(hue, form, number), f"How many {form}s are there?", count(number)) for number, hue, form in drawn]


def position_pairs() -> list[Pair]:
    red, blue = ("red", "circle"), ("blue", "square")
    asked = [
        ("left", "Is the red circle on the left or on the right?"),
        ("right", "Is the red circle on the left or on the right?"),
        ("left", "Is the red circle left or right of the blue square?"),
        ("above", "Is the red circle above or below the blue square?"),
        ("below", "Is the red circle above or below the blue square?"),
        ("above", "Is the red circle at the top or at the bottom?"),
    ]
    return [Pair(pair(red, place, blue), question, side(place)) for place, question in asked]


def description_pairs() -> list[Pair]:
    two = [(1, "red", "star"), (1, "blue", "heart")]
    return [
        Pair(shapes("green", "circle"), "Describe the picture.", scene([(1, "green", "circle")], "white")),
        Pair(shapes("red", "triangle", 3), "Describe the picture.", scene([(3, "red", "triangle")], "white")),
        Pair(shapes("yellow", "star", 1, "blue"), "Describe the picture.", scene([(1, "yellow", "star")], "blue")),
        Pair(shapes("white", "square", 2, "green"), "Describe what you see.", scene([(2, "white", "square")], "green")),
        Pair(pair(("red", "star"), "left", ("blue", "heart")), "Describe the picture.", scene(two, "white")),
    ]


def presence_pairs() -> list[Pair]:
    return [
        Pair(shapes("red", "star", 2), "Is there a star in the picture?", yes_no(True, ["star"])),
        Pair(shapes("red", "star", 2), "Is there a circle in the picture?", yes_no(False, ["circle"])),
        Pair(shapes("blue", "heart"), "Is there a heart in the picture?", yes_no(True, ["heart"])),
        Pair(shapes("blue", "heart"), "Is there a dog in the picture?", yes_no(False, ["dog"])),
        Pair(photo("chelsea"), "Is there a cat in the picture?", yes_no(True, ["cat"]), may_be_unsure=True),
        Pair(photo("chelsea"), "Is there a dog in the picture?", yes_no(False, ["dog"]), may_be_unsure=True),
        Pair(photo("coffee"), "Is there an elephant in the picture?", yes_no(False, ["elephant"]), may_be_unsure=True),
    ]


def photo_pairs() -> list[Pair]:
    cup = names(accepted("coffee") | {"drink", "tea"})
    return [
        Pair(photo("chelsea"), "What animal is this?", names(accepted("cat")), may_be_unsure=True),
        Pair(photo("chelsea"), "What is in the picture?", names(accepted("cat")), may_be_unsure=True),
        Pair(photo("coffee"), "What is this?", cup, may_be_unsure=True),
        Pair(photo("coffee"), "What do you see?", cup, may_be_unsure=True),
        Pair(photo("rocket"), "What is this?", names(accepted("rocket")), may_be_unsure=True),
    ]


def declined_pairs() -> list[Pair]:
    """What the model can't know and has to say so."""
    return [
        Pair(photo("astronaut"), "Who is this?", unsure()),
        Pair(photo("astronaut"), "What is this person's name?", unsure()),
        Pair(sign("Open daily"), "What does it say?", unsure()),
        Pair(sign("Platform 9"), "Can you read the text?", unsure()),
    ]


KINDS: tuple[Callable[[], list[Pair]], ...] = (
    colour_pairs, count_pairs, position_pairs, description_pairs, presence_pairs, photo_pairs, declined_pairs,
)  # fmt: skip


def answers(model: VisionLanguageModel, pairs: Sequence[Pair]) -> list[str]:
    """All are asked at once, as by a room full of people."""
    engine = build_engine(model, rows=10)
    turns = [Turn("user", (as_received(pair.picture), pair.question)) for pair in pairs]
    return [heard.text for heard in run(engine, *(Request((turn,), model.card.generation) for turn in turns))]


def test_four_in_five_answers_are_right_or_honestly_unsure(pocket_folder: Path) -> None:
    right, excused, wrong = 0, 0, []
    pairs = [pair for kind in KINDS for pair in kind()]
    for asked, answer in zip(pairs, answers(load(pocket_folder), pairs), strict=True):
        if asked.judge.accepts(answer):
            right += 1
        elif asked.may_be_unsure and is_unsure(answer):
            excused += 1
        else:
            wrong.append(f"{asked.question} wanted {asked.judge.wanted}, got {answer!r}")
    assert len(pairs) == 40
    assert right + excused >= 32, "\n".join(wrong)
    assert 3 * excused <= right + excused, f"{excused} of {right + excused} are only excused"
