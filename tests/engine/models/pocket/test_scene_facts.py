"""Facts about a picture in words."""

from __future__ import annotations

import pytest

from engine.models.pocket.scene_facts import Box, Group, Guess, SceneFacts, Subject, arrange, places, words

LEFT, RIGHT, MIDDLE = (0.2, 0.5, 0.2, 0.2), (0.8, 0.52, 0.2, 0.2), (0.5, 0.5, 0.2, 0.2)


def shape(colour: str, name: str) -> Group:
    return Group(1, name, (), (colour,))


def test_two_shapes_are_said_in_reading_order() -> None:
    groups = arrange([(shape("blue", "square"), RIGHT), (shape("red", "circle"), LEFT)], [0, 1])
    assert (
        words(SceneFacts(Subject.THINGS, groups, "white"))
        == "[2 shapes: a red circle on the left, a blue square on the right. Background: white.]"
    )


def test_equal_things_are_counted_as_one_group() -> None:
    groups = arrange([(shape("red", "star"), LEFT), (shape("red", "star"), RIGHT), (shape("pink", "heart"), MIDDLE)], [0, 0, 2])
    assert words(SceneFacts(Subject.THINGS, groups)) == "[3 shapes: 2 red stars, a pink heart in the middle.]"


@pytest.mark.parametrize(
    ("guesses", "said"),
    [
        ((Guess("dog", 0.93, "golden retriever"),), "[Photo: a dog 93%, golden retriever.]"),
        ((Guess("fox", 0.31), Guess("wolf", 0.22), Guess("cat", 0.01)), "[Photo: maybe a fox 31% or wolf 22%.]"),
        ((Guess("owl", 0.1), Guess("hen", 0.05)), "[Photo: an unknown thing, perhaps an owl 10% or hen 5%.]"),
        ((Guess("owl", 0.02),), "[Photo: an unknown thing.]"),
        ((), "[Photo: an unknown thing.]"),
    ],
)
def test_words_say_how_sure_the_classifier_is(guesses: tuple[Guess, ...], said: str) -> None:
    assert words(SceneFacts(Subject.PHOTO, (Group(1, guesses=guesses),))) == said


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([MIDDLE], ["middle"]),
        ([(0.2, 0.2, 0.1, 0.1)], ["top left"]),
        ([(0.5, 0.8, 0.1, 0.1), (0.45, 0.2, 0.1, 0.1)], ["bottom", "top"]),
        ([RIGHT, MIDDLE, LEFT], ["right", "middle", "left"]),
        ([(0.2, 0.2, 0.1, 0.1), (0.8, 0.2, 0.1, 0.1), (0.5, 0.8, 0.1, 0.1)], ["top left", "top right", "bottom"]),
    ],
)
def test_places(boxes: list[Box], expected: list[str]) -> None:
    assert places(boxes) == expected


def test_writing_and_nothing_have_words_of_their_own() -> None:
    assert words(SceneFacts(Subject.TEXT, (), "white")) == "[Writing, unreadable. Background: white.]"
    assert words(SceneFacts(Subject.NOTHING)) == "[Nothing known.]"
