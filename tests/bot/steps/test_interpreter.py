"""Programs run over a scene whose truth is known: what each line gives, and the limits."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from bot.regions import Region
from bot.steps import interpreter
from bot.steps.interpreter import TILES, Run, StepFailed, Things, how_many, number_in, shown
from bot.steps.language import parse


@dataclass
class Scene:
    """Things at places in thousandths; answers as a model would."""

    things: dict[tuple[int, int], str]
    large: bool = True
    asked: list[tuple[Region, str]] = field(default_factory=list)

    async def ask(self, region: Region, question: str) -> str:
        self.asked.append((region, question))
        inside = [name for (x, y), name in self.things.items() if region.left <= x < region.right and region.top <= y < region.bottom]
        return f"There are {sum(f'{name}s' in question for name in inside)}." if question.startswith("How many") else " and ".join(inside)

    async def read(self, region: Region) -> str:
        return "EXIT" if region.left == 0 else ""


SCENE = {(100, 100): "red circle", (900, 120): "red circle", (500, 900): "blue square"}


async def result(text: str, scene: Scene | None = None) -> object:
    return await Run(parse(text), scene or Scene(SCENE)).answer()


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        ('a = find(picture, "red circle")\nb = count(a)\nanswer(b)', 2),
        ('a = find(picture, "dog")\nb = exists(a)\nanswer(b)', False),
        ('a = find(picture, "blue square")\nb = where(a)\nanswer(b)', "lower middle"),
        ('a = find(picture, "red circle")\nb = find(picture, "blue square")\nc = compare(a, "above", b)\nanswer(c)', True),
        ('a = find(picture, "red circle")\nb = find(picture, "blue square")\nc = compare(a, "fewer than", b)\nanswer(c)', False),
        ('a = find(picture, "blue square")\nb = ask(a, "What is this?")\nanswer(b)', "blue square"),
        ('a = crop(picture, "upper left")\nb = read(a)\nanswer(b)', "EXIT"),
        ('a = crop(picture, "right")\nb = find(a, "red circle")\nc = count(b)\nanswer(c)', 1),
    ],
)
async def test_what_programs_give(program: str, wanted: object) -> None:
    assert await result(program) == wanted


@pytest.mark.parametrize(
    "program",
    [
        'a = find(picture, "dog")\nb = where(a)\nanswer(b)',
        'a = find(picture, "dog")\nb = ask(a, "What is this?")\nanswer(b)',
        'a = find(picture, "red circle")\nb = compare(a, "left of", picture)\nanswer(b)',
        'a = find(picture, "red circle")\nb = find(picture, "blue square")\nc = compare(a, "left of", b)\nanswer(c)',
        'a = crop(picture, "right")\nb = read(a)\nanswer(b)',
        'a = crop(picture, "nowhere")\nanswer(a)',
        "\n".join([f'a{n} = find(picture, "dog")' for n in range(5)]) + "\nanswer(a1)",
    ],
)
async def test_a_step_without_a_result_and_too_many_looks_end_it(program: str) -> None:
    with pytest.raises(StepFailed):
        await result(program)


async def test_a_small_picture_is_looked_at_whole_and_the_trace_says_each_result() -> None:
    scene = Scene(SCENE, large=False)
    run = Run(parse('a = find(picture, "red circle")\nb = count(a)\nanswer(b)'), scene)
    assert await run.answer() == 2
    assert [region for region, _ in scene.asked] == [interpreter.WHOLE]
    assert [(step.line, step.result) for step in run.steps] == [
        ('a = find(picture, "red circle")', "whole picture: 2"),
        ("b = count(a)", "2"),
    ]
    assert shown(Things("x", ((TILES[0], 1), (TILES[8], 3)))) == "upper left: 1, lower right: 3"


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("There are 3 shapes.", 3),
        ("I see no red circles, but I'm not sure.", 0),
        ("There is one.", 1),
        ("I see a blue circle.", 1),
        ("I'm not sure. I don't see anything I know.", 0),
        ("图中有两个。", 2),
        ("Green.", 0),
    ],
)
def test_numbers_are_read_in_words(answer: str, number: int) -> None:
    assert number_in(answer) == number


def test_what_is_counted_is_asked_for_in_its_language() -> None:
    assert [how_many(what) for what in ("the red circle", "people", "boxes", "cross", "红色的圆")] == [
        "How many red circles are there?",
        "How many people are there?",
        "How many boxes are there?",
        "How many crosses are there?",
        "图中有几个红色的圆？",
    ]
