"""Counting right answers: answerers whose score is known beforehand."""

from io import StringIO
from pathlib import Path
from random import Random

from PIL import Image
from rich.console import Console

from engine.evaluation.cases import Ask, Bar, Case, Check, Suite
from engine.evaluation.held_out import HeldOut
from engine.evaluation.judges import names, yes_no
from engine.evaluation.report import table
from engine.evaluation.run import Evaluation, Result
from engine.evaluation.suites.naming import animals

WHITE = (255, 255, 255)


def cat_cases(held_out: HeldOut, random: Random) -> list[Case]:
    """Eight cats; EfficientNet below knows the six on white."""
    checks = (Check("What is it?", names(["cat"])), Check("Is it a dog?", yes_no(False, ["dog"])))
    return [Case("a cat", Image.new("RGB", (4, 4), "white" if index < 6 else "black"), checks) for index in range(8)]


CATS = Suite("cats", cat_cases, Bar("EfficientNet's own"))


def baseline(picture: Image.Image) -> tuple[str, ...]:
    return ("Siamese", "cat") if picture.getpixel((0, 0)) == WHITE else ("beagle", "dog")


def evaluate(tmp_path: Path, ask: Ask, limit: int | None = None) -> Evaluation:
    return Evaluation(ask, baseline, HeldOut(tmp_path), limit)


def says(*answers: str) -> Ask:
    return lambda picture, questions: list(answers[: len(questions)])


def test_right_answers_are_counted_and_wrong_ones_kept(tmp_path: Path) -> None:
    result = evaluate(tmp_path, says("a cat", "Yes.")).run(CATS)
    assert (result.right, result.n) == (8, 16)
    assert {(failure.question, failure.answer) for failure in result.failures} == {("Is it a dog?", "Yes.")}


def test_efficientnets_own_share_is_the_bar(tmp_path: Path) -> None:
    good, bad = (evaluate(tmp_path, says(answer, "No.")).run(CATS) for answer in ("a cat", "not a cat"))
    assert good.baseline == bad.baseline == 6 / 8
    assert good.is_met is True
    assert bad.is_met is False


def test_the_limit_takes_a_beginning(tmp_path: Path) -> None:
    assert evaluate(tmp_path, says("a cat", "No."), limit=3).run(CATS).n == 6


def test_loops_are_counted_over_all_suites(tmp_path: Path) -> None:
    run = evaluate(tmp_path, says("a cat a cat a cat a cat a cat a cat", "No."))
    run.run(CATS)
    assert (run.loop_result().right, run.loop_result().n) == (8, 16)
    assert run.loop_result().is_met is False


def test_a_package_that_cannot_be_had_skips_its_suite_and_says_why(tmp_path: Path) -> None:
    source = tmp_path / "empty"
    source.mkdir()
    run = Evaluation(says("a cat"), baseline, HeldOut(tmp_path / "downloads", source))
    result = run.run(Suite("animals", animals, Bar("at least", 0.5)))
    assert "tuxpaint-stamps-default" in result.skipped
    assert result.is_met is None
    assert "skipped" in shown([result])


def shown(results: list[Result]) -> str:
    text = StringIO()
    Console(file=text, width=300).print(table(results))
    return text.getvalue()
