"""Captions become the names that are accepted for a picture."""

import pytest

from engine.evaluation.names import accepted, noun_phrase


@pytest.mark.parametrize(
    ("caption", "phrase"),
    [
        ("A great blue heron.", "great blue heron"),
        ("A peacock (a male peafowl).", "peacock"),
        ("A “Fuji” apple.", "fuji apple"),
        ("A pair of pliers.", "pliers"),
        ("A walnut in its shell.", "walnut"),
        ("A plant of common lavender.", "lavender"),
        ("An apple", None),
        ("Boom!!!", None),
        ("Mars—the red planet.", None),
        ("A tough APC like this gets you to battle.", None),
    ],
)
def test_captions_become_noun_phrases(caption: str, phrase: str | None) -> None:
    assert noun_phrase(caption) == phrase


def test_accepted_names_are_the_ends_of_the_phrase_and_the_tables() -> None:
    assert accepted("great blue heron") == {"great blue heron", "blue heron", "heron", "bird", "egret", "crane"}
    assert accepted("T-Rex") == {"t rex", "rex", "dinosaur"}
    assert "bird" not in accepted("penguin"), "an everyday word has to be said"
