"""The pocket model's recipe in one go, on a tiny scale: every stage once, and on where it ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from accelerate import Accelerator
from safetensors.torch import load_file

from engine.errors import DataError
from engine.training.recipe import STATED, PocketRecipe, make_bridge, short_of
from engine.training.run import FrozenParts

TINY = replace(PocketRecipe().scaled(0.00004), unseen="two", speak_chats=1, look_chats=1, judged_scenes=4)


@pytest.mark.sweep  # all stages: many seconds of CPU
def test_all_stages_make_a_bridge_and_none_twice(parts: FrozenParts, sprites: Path, tmp_path: Path) -> None:
    said: list[str] = []
    found = make_bridge(lambda: parts, sprites, tmp_path, TINY, 1, Accelerator(cpu=True), said.append)
    assert found["background"][1] == 4
    assert any(line.startswith("background: ") and "(stated: 1.000)" in line for line in said)
    assert said[-1].startswith("Below what is stated")
    names = load_file(tmp_path / "bridge.safetensors")
    assert {name.partition(".")[0] for name in names} == {"bridge", "lora"}
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("look*") if path.is_file()}
    (tmp_path / "speak.safetensors").unlink()  # as if killed before this stage ended
    again: list[str] = []
    assert make_bridge(lambda: parts, sprites, tmp_path, TINY, 1, Accelerator(cpu=True), again.append) == found
    assert not any("scenes with" in line for line in again)
    assert made == {path: path.stat().st_mtime_ns for path in made}
    with pytest.raises(DataError, match="another recipe"):
        make_bridge(lambda: parts, sprites, tmp_path, replace(TINY, look_steps=3), 1, Accelerator(cpu=True), again.append)


def test_what_is_short_of_the_stated_quality_is_named() -> None:
    reached = {name: (stated - 0.01, 100) for name, stated in STATED.items()}
    assert short_of(reached) == []
    assert short_of({**reached, "name": (0.3, 100)}) == ["name"]
    assert PocketRecipe().scaled(1) == PocketRecipe()
