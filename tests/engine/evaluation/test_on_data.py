"""A tiny model is asked what somebody's data asks, and the page that shows it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from engine.evaluation.on_data import CAPTION, DataResult, answered, questions_of
from engine.evaluation.samples_page import write_page
from engine.evaluation.text_scores import score_all
from engine.images.decode import Picture, decode_picture
from engine.prompts.turn import Turn
from engine.training.alignment.dataset import LIMITS, Example, StoredPicture
from tests.engine.core.requests import asked, events, text
from tests.engine.tiny import TinyModel


def picture(folder: Path, colour: str) -> StoredPicture:
    path = folder / f"{colour}.png"
    Image.new("RGB", (6, 5), colour).save(path)
    return StoredPicture(path)


def examples(folder: Path) -> list[Example]:
    red, grey = picture(folder, "red"), picture(folder, "grey")
    return [
        Example(1, "data", (red,), (("What?", "A thing."), ("<b>Sure?</b>", "Yes."))),
        Example(2, "data", (grey,), (("", "Something grey."),)),
        Example(3, "data", (grey,), (("", "A grey square."),)),
        Example(4, "data", (), (("Hi", "Hello"),)),
    ]


def test_rows_that_ask_the_same_are_one_question_with_several_references(tmp_path: Path) -> None:
    questions = questions_of(examples(tmp_path))
    assert [question.references for question in questions] == [("A thing.",), ("Yes.",), ("Something grey.", "A grey square."), ("Hello",)]
    assert questions[1].before == (("What?", "A thing."),)
    assert [question.where for question in questions] == ["data, row 1", "data, row 1", "data, row 2", "data, row 4"]


def test_each_question_is_asked_after_what_the_data_says_came_before(tmp_path: Path) -> None:
    model, questions = TinyModel(), questions_of(examples(tmp_path))
    answers = [answer.text for answer in answered(model, questions, "", max_tokens=6)]
    first = questions[0].pictures[0]
    shown = Turn("user", (received(first), "What?"))
    alone = (
        (shown,),
        (shown, Turn("assistant", ("A thing.",)), Turn("user", ("<b>Sure?</b>",))),
        (Turn("user", (received(questions[2].pictures[0]), CAPTION)),),
        (Turn("user", ("Hi",)),),
    )
    assert answers == [text(events(TinyModel(), asked(*turns, max_tokens=6))).strip() for turns in alone]


def test_what_can_not_be_answered_is_told(tmp_path: Path) -> None:
    question = questions_of([Example(1, "data", (picture(tmp_path, "red"),) * 300, (("All?", "Yes."),))])
    (answer,) = answered(TinyModel(), question, "", max_tokens=6)
    assert answer.text == ""
    assert answer.failed


def test_the_page_shows_model_and_base_and_runs_nothing(tmp_path: Path) -> None:
    questions = questions_of(examples(tmp_path))
    answers = tuple(answered(TinyModel(), questions, "", max_tokens=6))
    scores = tuple(score_all([answer.text for answer in answers], [question.references for question in questions]))
    result = DataResult(answers, scores)
    write_page(tmp_path / "page.html", questions, {"new<script>": result, "base": result})
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<article>") == len(questions)
    assert page.count("data:image/jpeg") == 3
    assert "&lt;b&gt;Sure?&lt;/b&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def received(stored: StoredPicture) -> Picture:
    return decode_picture(stored.read(), LIMITS)
