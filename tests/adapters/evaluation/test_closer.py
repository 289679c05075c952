"""The scenes with small things hold what they claim, and answers are scored against it."""

from __future__ import annotations

import asyncio
import os
import sys
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from adapters.evaluation.closer import Evaluator, measure_steps, measure_zoom
from adapters.evaluation.reading_pages import matplotlib_font
from adapters.evaluation.small_things import CORNERS, HEIGHT, WIDTH, SceneQuestion, step_questions, zoom_questions
from bot.message import Picture


def test_a_corner_holds_the_thing_that_is_asked_about() -> None:
    for question in zoom_questions(2, Random(3)):
        corner = next(name for name in CORNERS if name in question.text)
        column, row = CORNERS[corner]
        with Image.open(BytesIO(question.picture)) as picture:
            cell = picture.crop((column * WIDTH // 3, row * HEIGHT // 3, (column + 1) * WIDTH // 3, (row + 1) * HEIGHT // 3))
        colours = {colour for _, colour in cell.getcolors() or ()}
        named = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0), "black": (0, 0, 0)}
        assert isinstance(question.truth, tuple)
        assert colours == {(255, 255, 255), named[question.truth[0]]}


def test_answers_are_scored() -> None:
    corner = SceneQuestion("", b"", "", ("red", "circle"), ("blue",))
    assert [corner.right(answer) for answer in ("A red circle.", "A red square.", "A red circle, a blue one.")] == [True, False, False]
    assert [SceneQuestion("", b"", "", 3).right(answer) for answer in ("There are three.", "3", "2")] == [True, True, False]
    assert [SceneQuestion("", b"", "", False).right(answer) for answer in ("No, it is not.", "Yes.")] == [True, False]


class Oracle(Evaluator):
    """Knows every truth where it looks closer or takes steps, and never plainly; of two relations it can't tell."""

    def __init__(self, truths: dict[bytes, SceneQuestion]) -> None:
        self.truths = truths

    async def taken(self, question: SceneQuestion) -> Picture:
        self.truths[question.picture] = question
        return Picture("", question.picture, "image/png", WIDTH, HEIGHT)

    async def plain(self, picture: Picture, text: str) -> str:
        return "I can't tell."

    async def closer(self, picture: Picture, text: str) -> str:
        truth = self.truths[picture.data].truth
        return " ".join(truth) if isinstance(truth, tuple) else str(truth)

    async def steps(self, picture: Picture, text: str) -> str | None:
        return None if self.truths[picture.data].kind == "relation" else await self.closer(picture, text)


async def test_what_is_right_is_counted_by_kind() -> None:
    font = matplotlib_font("DejaVuSans.ttf")
    assert font is not None
    zoom = await measure_zoom(Oracle({}), zoom_questions(1, Random(3)))
    assert {kind: (score.count, score.plain, score.better) for kind, score in zoom.items()} == {
        "its colour": (1, 0, 1),
        "what stands in a corner": (1, 0, 1),
    }
    steps = await measure_steps(Oracle({}), step_questions(1, Random(3), font))
    assert {kind: (score.better, score.fell_back) for kind, score in steps.items()} == {
        "counting": (1, 0),
        "relation": (0, 1),
        "reading": (1, 0),
    }


@pytest.mark.sweep
@pytest.mark.parametrize("kind", ["zoom", "steps"])
async def test_a_models_folder_is_measured(kind: str, tmp_path: Path) -> None:
    """A tiny random model: what is said is nonsense, that it goes through the command to its end is the point."""
    from tests.engine.models.pretrained.repositories import store

    folder = store("qwen3_vl", tmp_path / "model").folder
    command = (sys.executable, "-m", "adapters", "evaluate", kind, "--model", str(folder), "--count", "1")
    environment = {**os.environ, "GANDER_HOME": str(tmp_path / "home")}
    made = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment)
    said, _ = await made.communicate()
    assert made.returncode == 0
    assert ("what stands in a corner" if kind == "zoom" else "relation") in said.decode()
