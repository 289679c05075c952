"""Each judge on answers that are right, wrong, and wrong in a way that a careless judge would accept."""

import pytest

from engine.evaluation.judges import (
    chinese_apology,
    colour,
    coloured,
    count,
    is_unsure,
    loops,
    names,
    numbers,
    says,
    scene,
    side,
    sure,
    unsure_or,
    verdict,
    yes_no,
)
from engine.evaluation.names import accepted

DOG = accepted("dog")


@pytest.mark.parametrize(
    "answer",
    [
        "It's a dog.",
        "A DOG",
        "Two dogs are playing.",
        "I see a sheep-dog.",
        "It's not a cat, it's a dog.",
        "I'm not sure, maybe a dog",
        "a dog or a wolf",
        "I'm not sure. It may be a dog, a bison or a lion.",
        "I see a dog, perhaps a poodle.",
    ],
)
def test_names_accepts(answer: str) -> None:
    assert names(DOG).accepts(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "It's not a dog.",
        "I don't think that's a dog.",
        "There is no dog.",
        "a hotdog",
        "dogma",
        "I'm not sure.",
        "a wolf or a dog",
        "It may be a wolf, a dog.",
        "It may be a wolf, a dog or a lion.",
        "They may be wolves, dogs or lions.",
        "",
        "It isn't a dog.",
    ],
)
def test_names_refuses(answer: str) -> None:
    assert not names(DOG).accepts(answer)


def test_a_negation_ends_with_its_clause() -> None:
    assert says("No, that is a dog", "dog")
    assert says("It's not a cat but a dog", "dog")
    assert not says("It's a cat and not a dog", "dog")


def test_plurals_are_the_same_word() -> None:
    assert says("three cherries", "cherry")
    assert says("some crosses", "cross")
    assert not says("a crossing", "cross")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("The circle is red.", True),
        ("It's a red circle on a white background.", True),
        ("red and blue", False),
        ("It's not red.", False),
        ("It is blue, not red.", False),
        ("I'm not sure.", False),
        ("It's a bored circle.", False),
    ],
)
def test_colour(answer: str, right: bool) -> None:
    assert colour("red", "white").accepts(answer) is right


def test_colour_takes_both_spellings_and_violet() -> None:
    assert colour("grey").accepts("It is gray.")
    assert colour("purple").accepts("violet")
    assert colour("white", "white").accepts("The background is white.")
    assert not colour("white", "white").accepts("The background is nice.")


@pytest.mark.parametrize(
    ("wanted", "answer", "right"),
    [
        (3, "There are three stars.", True),
        (3, "3", True),
        (3, "There are 13 stars.", False),
        (3, "three or four", False),
        (3, "There are not three, there are four.", False),
        (1, "There is a star.", True),
        (1, "one", True),
        (1, "I'm not sure, a few.", False),
        (2, "There is a star.", False),
        (4, "Someone drew four.", True),
    ],
)
def test_count(wanted: int, answer: str, right: bool) -> None:
    assert count(wanted).accepts(answer) is right


def test_numbers_are_whole_words() -> None:
    assert numbers("Someone is alone with 12 geese and two phones") == {12, 2}


@pytest.mark.parametrize(
    ("wanted", "answer", "right"),
    [
        ("left", "It's on the left.", True),
        ("left", "It's left of the right one.", False),
        ("left", "It's not on the left, it's on the right.", False),
        ("right", "It's not on the left, it's on the right.", True),
        ("above", "At the top.", True),
        ("above", "under it", False),
        ("below", "The star is beneath the circle.", True),
    ],
)
def test_side(wanted: str, answer: str, right: bool) -> None:
    assert side(wanted).accepts(answer) is right


@pytest.mark.parametrize(
    ("answer", "says_yes"),
    [
        ("Yes, there is a dog.", True),
        ("Yes.", True),
        ("There is a dog in the picture.", True),
        ("I can see a dog.", True),
        ("No.", False),
        ("No, there is a cat.", False),
        ("There is no dog.", False),
        ("I don't see a dog here.", False),
        ("There isn't one.", False),
        ("I'm not sure.", None),
        ("I can't tell if there is a dog.", None),
        ("It's a cat.", None),
        ("Nothing.", None),
    ],
)
def test_yes_and_no(answer: str, says_yes: bool | None) -> None:
    assert verdict(answer, DOG) is says_yes
    assert yes_no(True, DOG).accepts(answer) is (says_yes is True)
    assert yes_no(False, DOG).accepts(answer) is (says_yes is False)


@pytest.mark.parametrize(
    "answer",
    [
        "I'm not sure.",
        "I'm not sure, maybe a dog.",
        "I can’t tell.",
        "I don't know who that is.",
        "I cannot read text.",
        "Hard to say.",
        "I am not really certain.",
    ],
)
def test_unsure(answer: str) -> None:
    assert is_unsure(answer)
    assert not sure().accepts(answer)


@pytest.mark.parametrize("answer", ["It's a dog.", "Sure, it's a dog.", "It's not a dog.", "The dog can't run.", "I know: a dog."])
def test_sure(answer: str) -> None:
    assert not is_unsure(answer)
    assert sure().accepts(answer)


def test_silence_is_neither_sure_nor_right() -> None:
    assert not sure().accepts(" ")
    assert not unsure_or(DOG).accepts("")
    assert unsure_or(DOG).accepts("A dog.")
    assert not unsure_or(DOG).accepts("A cat.")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("a red star", True),
        ("a red, filled star", True),
        ("The stars are red.", True),
        ("a star that is red", True),
        ("a red circle and a star", False),
        ("a blue star on a red background", False),
        ("not a red star", False),
    ],
)
def test_a_colour_belongs_to_its_shape(answer: str, right: bool) -> None:
    assert coloured(answer, "red", "star") is right


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Three red stars on a white background.", True),
        ("There are 3 red stars.", True),
        ("Red stars.", False),
        ("Four red stars.", False),
        ("Three red stars and a circle.", False),
        ("Three red stars on a blue background.", False),
        ("Three blue stars on a white background.", False),
    ],
)
def test_a_full_description(answer: str, right: bool) -> None:
    assert scene([(3, "red", "star")], "white").accepts(answer) is right


def test_two_shapes_need_both() -> None:
    judge = scene([(1, "red", "star"), (1, "blue", "circle")], "white")
    assert judge.accepts("A red star next to a blue circle.")
    assert not judge.accepts("A blue star next to a red circle.")
    assert not judge.accepts("A red star.")


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("抱歉，我只懂英语，请用英语问我。", True),
        ("Sorry, 我只懂英语，请用英语问我。", False),
        ("这是一只猫。", False),
        ("I only know English.", False),
        ("英", False),
    ],
)
def test_chinese(answer: str, right: bool) -> None:
    assert chinese_apology().accepts(answer) is right


@pytest.mark.parametrize(
    ("answer", "is_loop"),
    [
        ("a dog and a cat and a dog and a cat and a dog and a cat", True),
        ("very very very very very good", True),
        ("A red star, a blue star and a green star on a white background.", False),
        ("one two three", False),
    ],
)
def test_loops(answer: str, is_loop: bool) -> None:
    assert loops(answer) is is_loop
