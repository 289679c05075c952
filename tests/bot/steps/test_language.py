"""The language of steps: what is a program, and what is not. A model's schema lets through programs alone."""

from __future__ import annotations

import json
import re

import pytest

from bot.steps.language import MOST_LINES, SCHEMA, ProgramError, parse
from bot.steps.ready_made import ready_made
from bot.steps.writing import read_program

COUNT = 'things = find(picture, "red circles")\nnumber = count(things)\nanswer(number)'


def test_a_program_reads_as_it_is_written() -> None:
    assert str(parse(COUNT)) == COUNT
    assert str(parse('  part=crop( picture ,"upper left" )\n\nanswer( part )')) == 'part = crop(picture, "upper left")\nanswer(part)'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "answer(picture)",
        'a = find(picture, "x")',
        'a = find(picture, "x")\nanswer(b)',
        'a = find(b, "x")\nanswer(a)',
        "a = find(picture)\nanswer(a)",
        'a = find("x", picture)\nanswer(a)',
        "a = count(1)\nanswer(a)",
        'picture = find(picture, "x")\nanswer(picture)',
        'a = __import__("os")\nanswer(a)',
        'a = eval(picture, "1")\nanswer(a)',
        'a = find(picture, "x"); b = 1\nanswer(a)',
        'a = find(picture, "x\\"y")\nanswer(a)',
        f'a = find(picture, "{"x" * 121}")\nanswer(a)',
        "\n".join(['a = find(picture, "x")'] * MOST_LINES) + "\nanswer(a)",
    ],
)
def test_what_is_no_program_is_refused(text: str) -> None:
    with pytest.raises(ProgramError):
        parse(text)


def test_a_models_program_comes_as_json_or_in_lines() -> None:
    written = {"program": COUNT.splitlines()[:-1], "answer": "number"}
    assert str(read_program(f"Sure!\n{json.dumps(written)}")) == COUNT
    assert str(read_program(f"Here it is:\n```\n{COUNT}\n```")) == COUNT
    for text in ("I can't.", "{}", '{"program": [1], "answer": "a"}', '{"program": "'):
        with pytest.raises(ProgramError):
            read_program(text)


def test_the_schema_keeps_to_the_grammar() -> None:
    line, name = (re.compile(SCHEMA["properties"][key]["pattern"]) for key in ("answer", "answer"))
    line = re.compile(SCHEMA["properties"]["program"]["items"]["pattern"])
    assert all(line.fullmatch(each) for each in COUNT.splitlines()[:-1])
    assert name.fullmatch("number")
    assert not line.fullmatch('a = open("x")')
    assert not line.fullmatch('a = find(picture, "x\n")')


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        ("How many red circles are there?", COUNT.splitlines()[:2]),
        ("How many dogs do you see in this picture?", ['things = find(picture, "dogs")']),
        ("Is the red circle to the left of the blue square?", ['result = compare(one, "left of", other)']),
        ("Are there more cats than dogs?", ['one = find(picture, "cats")', 'result = compare(one, "more than", other)']),
        ("Where is the green star?", ["place = where(things)"]),
        ("What is written in the upper left?", ['part = crop(picture, "upper left")', "words = read(part)"]),
        ("What does it say?", ["words = read(picture)"]),
        ("What is in the upper left corner?", ['said = ask(part, "What is in the picture?")']),
        ("图中有几个红色的圆？", ['things = find(picture, "红色的圆")']),
        ("红色的圆在哪里？", ["place = where(things)"]),
    ],
)
def test_usual_questions_have_a_ready_made_program(question: str, lines: list[str]) -> None:
    program = ready_made(question)
    assert set(lines) <= set(str(program).splitlines())


def test_other_questions_have_none() -> None:
    assert ready_made("Why is she laughing?") is None
