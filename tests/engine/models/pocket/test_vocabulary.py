"""Names of classes, and nouns in singular and plural."""

from __future__ import annotations

import pytest

from engine.models.pocket.vocabulary import article, drawn, imagenet, kinds, plural


def test_every_class_has_a_common_name_and_a_kind() -> None:
    assert len(imagenet()) == 1000
    assert all(entry.fine and entry.name and entry.kind for entry in imagenet())
    assert imagenet()[207].name == "dog"
    assert imagenet()[281].name == "cat"
    assert drawn()[0] == "person"
    assert kinds()["apple"] == "fruit"


@pytest.mark.parametrize(
    ("name", "one", "many"),
    [("apple", "an apple", "apples"), ("fish", "a fish", "fish"), ("mouse", "a mouse", "mice"), ("scissors", "scissors", "scissors"),
     ("unicorn", "a unicorn", "unicorns"), ("cross", "a cross", "crosses"), ("cherry", "a cherry", "cherries")],
)  # fmt: skip
def test_nouns(name: str, one: str, many: str) -> None:
    assert (article(name), plural(name, 2)) == (one, many)
