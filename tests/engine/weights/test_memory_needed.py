"""The arithmetic of device memory: held to the files' own sizes, the release's figures, and the issue's limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from engine.commands.model import app
from engine.layers.modes import Quantization
from engine.weights.memory_needed import MODES, pick, release_shapes, shapes_of
from tests.engine.weights.release_files import golden_sources, imported


@pytest.mark.parametrize("mode", MODES)
def test_language_bytes_are_those_of_the_files(mode: Quantization, tmp_path: Path) -> None:
    imported(golden_sources("v0"), tmp_path / "out", mode)
    stored = sum(tensor.nbytes for path in (tmp_path / "out").glob("language*") for tensor in load_file(path).values())
    assert shapes_of(tmp_path / "out").language_bytes(mode) == stored


def test_parameters_are_the_releases() -> None:
    """ViT 986 M, Q-Former 105 M, LLaMA 6.74 B and 13.02 B; fp16 cache 0.5 and 0.78 MiB a token."""
    small, large = release_shapes("7b"), release_shapes("13b")
    assert small.language_bytes("none") / 2 == pytest.approx(6.74e9, rel=1e-3)
    assert large.language_bytes("none") / 2 == pytest.approx(13.02e9, rel=1e-3)
    assert small.vision_parameters == pytest.approx(986e6 + 105e6 + 768 * 4096, rel=5e-3)
    assert small.cache_bytes == 2**19
    assert large.cache_bytes / 2**20 == pytest.approx(0.78, abs=0.005)


@pytest.mark.parametrize(("size", "mode", "limit"), [("7b", "int8", 10.5), ("7b", "4bit", 7.5), ("13b", "int8", 18.0)])
def test_modes_stay_below_their_limits_with_one_conversation(size: str, mode: Quantization, limit: float) -> None:
    assert release_shapes(size).needed(mode, 1) / 1e9 <= limit


@pytest.mark.parametrize(
    ("size", "free", "mode"), [("7b", 15.4, "int8"), ("7b", 23.4, "none"), ("7b", 7.6, "4bit"), ("7b", 6, None), ("13b", 23.4, "int8")]
)
def test_auto_takes_the_most_exact_mode_with_room(size: str, free: float, mode: Quantization | None) -> None:
    assert pick(release_shapes(size), int(free * 1e9)) == mode


def test_auto_never_restores_what_is_stored_quantised() -> None:
    assert pick(release_shapes("7b"), int(80e9), stored="int8") == "int8"


def run(tmp_path: Path, *arguments: str) -> str:
    done = CliRunner(env={"GANDER_HOME": str(tmp_path), "COLUMNS": "120"}).invoke(app, ["plan", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_has_a_row_for_cards_of_16_gb(tmp_path: Path) -> None:
    lines = run(tmp_path, "7b", "--memory", "24").splitlines()
    row = next(line.split() for line in lines if line.strip().startswith("16 GB"))
    assert row[2] == "-"  # fp16
    assert row[-1] == "int8"
    assert lines[-1] == "A card of 24.0 GB: engine.quantize = auto takes fp16."


def test_the_command_plans_a_folder_in_json(tmp_path: Path) -> None:
    imported(golden_sources("v0"), tmp_path / "out")
    plan = json.loads(run(tmp_path, str(tmp_path / "out"), "--memory", "1", "--json"))
    assert set(plan["needed"]) == set(MODES)
    assert plan["picked"] is None or plan["picked"] in MODES


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        (["16GB", "16gb"], "Cards of 16.0 GB and 16.0 GB: an engine on each, in 4 bit."),
        (["8", "8"], "Cards of 8.0 GB and 8.0 GB: one engine over all of them, in 4 bit."),
        (["4 GB", "4"], "Cards of 4.0 GB and 4.0 GB are too small together, even for 4 bit: choose a smaller model."),
        (["6"], "A card of 6.0 GB is too small, even for 4 bit: split it over several (engine.devices), or choose a smaller model."),
    ],
)
def test_the_command_plans_any_cards_for_what_is_not_here(cards: list[str], said: str, tmp_path: Path) -> None:
    assert run(tmp_path, "13b", *(part for card in cards for part in ("--card", card))).splitlines()[-1] == said


def test_a_name_that_means_nothing_is_refused_before_torch_comes(tmp_path: Path) -> None:
    code = "import sys; from engine.__main__ import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    environment = os.environ | {"GANDER_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code, "model", "plan", "13c"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "There is no model '13c'" in done.stderr
    assert done.stdout.strip() == "False"
