"""Scores of words by hand, and CIDEr by what pycocoevalcap 1.2 said of the same (its code was run once, on random sentences too)."""

from __future__ import annotations

import pytest

from engine.evaluation.text_scores import cider, exact, f1, score_all, words


def test_words_are_normalised_as_squad_does_and_chinese_by_characters() -> None:
    assert words("It's a Dog, isn't it?") == ["its", "a", "dog", "isnt", "it"]
    assert words("一只 red 狗。") == ["一", "只", "red", "狗"]
    assert exact("The dog!", ["a cat", "Dog"]) == 1
    assert exact("", ["the"]) == 1
    assert exact("dogs", ["dog"]) == 0


@pytest.mark.parametrize(
    ("answer", "references", "expected"),
    [
        ("a big red dog", ["the red dog"], 2 * 2 / (3 + 2)),
        ("dog dog dog", ["dog"], 2 * 1 / (3 + 1)),
        ("a cat", ["dog", "black cat"], 2 / 3),
        ("那是一只狗", ["一只狗"], 2 * 3 / (5 + 3)),
        ("", ["dog"], 0),
        ("the", ["a"], 1),
    ],
)
def test_f1_is_of_words_as_often_as_they_occur_and_the_best_reference_counts(answer: str, references: list[str], expected: float) -> None:
    assert f1(answer, references) == pytest.approx(expected)


def test_cider_is_what_the_published_code_says() -> None:
    references = [["a dog sits on the mat", "the dog is on a mat"], ["a red tree"], ["two cats run and play"]]
    assert cider(["a dog on the mat", "a red red tree", "a cat runs"], references) == pytest.approx([3.39535107, 3.60312994, 0.0])
    assert cider(["two cats run and play"], [["two cats run and play"]]) == [0]  # of one question no word is rare
    assert cider([], []) == []


def test_all_scores_of_an_answer() -> None:
    (first, second) = score_all(["a red tree stands", "grass"], [["a red tree stands"], ["two cats run and play"]])
    assert (first.exact, first.f1) == (1, 1)
    assert first.cider == pytest.approx(10)
    assert (second.exact, second.f1, second.cider) == (0, 0, 0)
