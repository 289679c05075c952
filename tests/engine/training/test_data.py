from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from engine.models.pocket.scene_facts import Group, Guess, SceneFacts, Subject
from engine.training.conversations import talk
from engine.training.data import Recipe, all_names, make_chunk, prepare
from engine.training.sprites import read_sprites


def test_a_style_can_be_left_out(sprites: Path) -> None:
    assert {sprite.style for sprite in read_sprites(sprites, "two")} == {"one"}
    assert {sprite.style for sprite in read_sprites(sprites, "", "two")} == {"two"}


def test_the_same_seed_makes_the_same_data_with_any_number_of_processes(sprites: Path, tmp_path: Path) -> None:
    recipe, scenes = Recipe(sprites, 3, 1, chunk=8), 20
    prepare(tmp_path / "one", recipe, scenes, 1)
    prepare(tmp_path / "two", recipe, scenes, 2)
    for name in ("pixels.npy", "chats.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_another_seed_makes_other_data(sprites: Path) -> None:
    first, second = (make_chunk(Recipe(sprites, seed, 1), 4, 0) for seed in (0, 1))
    assert not np.array_equal(first[0], second[0])


def test_truth_and_chats_speak_of_the_same_scene(sprites: Path) -> None:
    _, truth, told = make_chunk(Recipe(sprites, 5, 1), 60, 0)
    for count, line in zip(truth["count"], told, strict=True):
        words = json.loads(line)[0]
        if words.startswith("[") and words[1].isdigit():
            assert int(words[1]) == count


def test_answers_follow_what_was_seen() -> None:
    facts = SceneFacts(Subject.THINGS, (Group(1, "circle", (), ("red",), "left"), Group(1, "square", (), ("blue",), "right")), "white")
    turns = [turn for seed in range(60) for turn in talk(np.random.default_rng(seed), facts, all_names(), 6)]
    answers = {turn.question: turn.answer for turn in turns}
    assert {answer for question, answer in answers.items() if question.startswith("How many shapes")} == {"There are 2 shapes."}
    assert {answer for question, answer in answers.items() if "background" in question} == {"The background is white."}
    denied = [turn.answer for turn in turns if turn.answer.startswith("No, I don't see a")]
    assert denied
    assert not any(answer.startswith(("No, I don't see a red circle", "No, I don't see a blue square")) for answer in denied)


def test_unknown_things_are_not_named() -> None:
    facts = SceneFacts(Subject.PHOTO, (Group(1, guesses=(Guess("dog", 0.01),)),))
    turns = [turn for seed in range(40) for turn in talk(np.random.default_rng(seed), facts, all_names(), 6)]
    assert not any("dog" in turn.answer for turn in turns)
    assert sum("not sure" in turn.answer for turn in turns) > len(turns) / 2
