"""Follow-up questions are asked in the conversation that they follow."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from engine.evaluation.cases import Ask, Suite
from engine.evaluation.held_out import HeldOut
from engine.evaluation.run import Evaluation
from engine.evaluation.suites.follow_ups import follow_ups

WHITE = (255, 255, 255)


def baseline(picture: Image.Image) -> tuple[str, ...]:
    return ("Siamese", "cat") if picture.getpixel((0, 0)) == WHITE else ("beagle", "dog")


def evaluate(tmp_path: Path, ask: Ask, limit: int | None = None) -> Evaluation:
    return Evaluation(ask, baseline, HeldOut(tmp_path), limit)


def test_a_follow_up_is_asked_in_the_conversation_that_it_follows(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def ask(picture: Image.Image | None, questions: Sequence[str]) -> list[str]:
        assert picture is not None
        asked.append(questions)
        return ["I'm not sure."] * len(questions)

    result = evaluate(tmp_path, ask, limit=4).run(Suite("follow-ups", follow_ups))
    assert [len(questions) for questions in asked] == [5, 5, 5, 5]
    assert (result.right, result.n) == (0, 20)
