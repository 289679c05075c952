"""Counting right answers: answerers whose score is known beforehand."""

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from random import Random

import pytest
from PIL import Image
from rich.console import Console

from engine.evaluation.cases import Ask, Bar, Case, Check, Suite
from engine.evaluation.held_out import HeldOut
from engine.evaluation.interval import wilson
from engine.evaluation.judges import names, yes_no
from engine.evaluation.report import as_json, failures, table
from engine.evaluation.run import Evaluation, Result
from engine.evaluation.suites.follow_ups import follow_ups
from engine.evaluation.suites.naming import animals
from engine.evaluation.suites.shapes import descriptions, positions

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


def test_a_follow_up_is_asked_in_the_conversation_that_it_follows(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def ask(picture: Image.Image | None, questions: Sequence[str]) -> list[str]:
        assert picture is not None
        asked.append(questions)
        return ["I'm not sure."] * len(questions)

    result = evaluate(tmp_path, ask, limit=4).run(Suite("follow-ups", follow_ups))
    assert [len(questions) for questions in asked] == [5, 5, 5, 5]
    assert (result.right, result.n) == (0, 20)


def test_a_description_in_full_passes_and_every_gap_fails(tmp_path: Path) -> None:
    cases = list(descriptions(HeldOut(tmp_path), Random(5)))
    for case in cases:
        judge = case.checks[0].judge
        things, background = judge.wanted.split(" on ")
        assert judge.accepts(f"I see {things.replace(', ', ' and ')}s on a {background} background."), case.about
        assert not judge.accepts(f"I see {things.split()[0]} {things.split()[1]} things."), case.about
    assert len({case.about for case in cases}) > 90


def test_positions_ask_for_what_is_drawn(tmp_path: Path) -> None:
    for case in positions(HeldOut(tmp_path), Random(5)):
        check = case.checks[0]
        assert check.judge.accepts(check.judge.wanted), (case.about, check.judge.wanted)
        assert not check.judge.accepts("I'm not sure.")


def test_a_package_that_cannot_be_had_skips_its_suite_and_says_why(tmp_path: Path) -> None:
    source = tmp_path / "empty"
    source.mkdir()
    run = Evaluation(says("a cat"), baseline, HeldOut(tmp_path / "downloads", source))
    result = run.run(Suite("animals", animals, Bar("at least", 0.5)))
    assert "tuxpaint-stamps-default" in result.skipped
    assert result.is_met is None
    assert "skipped" in shown([result])


def test_the_table_and_the_json_say_the_same(tmp_path: Path) -> None:
    result = evaluate(tmp_path, says("a cat", "Yes.")).run(CATS)
    text = shown([result])
    low, high = wilson(8, 16)
    assert "0.500" in text
    assert f"{low:.2f} … {high:.2f}" in text
    assert "missed" in text
    line = json.loads(as_json([result], "pocket", "int8", 1.0))["results"][0]
    assert (line["share"], line["n"], line["met"]) == (0.5, 16, False)
    assert failures([result]).count("\n") == 8


def shown(results: list[Result]) -> str:
    text = StringIO()
    Console(file=text, width=300).print(table(results))
    return text.getvalue()


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (45, 50, 0.7864, 0.9565)],  # Newcombe 1998, table I's method
)
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == pytest.approx((low, high), abs=5e-4)
