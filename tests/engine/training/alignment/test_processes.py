"""Training in processes of its own: killed by SIGKILL, and two that share a batch. A start takes seconds of CPU: `make sweep`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.sweep
ROOT = Path(__file__).parents[4]
STEPS = 40


def command(base: Path, data: Path, out: Path, *more: str) -> list[str]:
    fixed = ["--steps", str(STEPS), "--batch", "4", "--held-out", "0.2", "--save-every", "7", "--show", "1", "--rate", "1e-2"]
    return [sys.executable, "-m", "engine", "train", str(data), "--base", str(base), "--out", str(out), *fixed, *more]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "GANDER_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / "training" / "losses.jsonl").read_text().splitlines()]


def run(arguments: list[str], home: Path) -> str:
    done = subprocess.run(arguments, env=environment(home), capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def whole(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    out = tmp_path_factory.mktemp("whole") / "out"
    run(command(base, data, out), out.parent)
    return losses(out)


def test_a_run_killed_by_sigkill_goes_on_to_the_same_losses(base: Path, data: Path, whole: list[float], tmp_path: Path) -> None:
    told, found = killed_and_gone_on(command(base, data, tmp_path / "out"), tmp_path)
    assert found == whole
    assert "Ready:" in told


def test_bf16_on_a_cpu_learns_and_goes_on_to_the_same_losses(base: Path, data: Path, whole: list[float], tmp_path: Path) -> None:
    """fp16, whose losses are scaled, takes a GPU."""
    run(command(base, data, tmp_path / "whole", "--precision", "bf16"), tmp_path)
    expected = losses(tmp_path / "whole")
    assert expected == pytest.approx(whole, rel=0.1)
    assert expected != whole
    assert min(expected[-5:]) < 0.8 * expected[0]
    _, found = killed_and_gone_on(command(base, data, tmp_path / "out", "--precision", "bf16"), tmp_path)
    assert found == expected


def killed_and_gone_on(arguments: list[str], folder: Path) -> tuple[str, list[float]]:
    """By SIGKILL behind the first losses; → what the second run said, and all losses."""
    out = folder / "out"
    begun = out / "training" / "losses.jsonl"
    with subprocess.Popen(arguments, env=environment(folder), stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while not begun.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert process.wait() != 0  # it did not end by itself
    assert not (out / "gander.json").exists()
    return run(arguments, folder), losses(out)


def test_two_processes_give_the_losses_of_one(base: Path, data: Path, whole: list[float], tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = run(command(base, data, out, "--processes", "2"), tmp_path)
    assert losses(out) == pytest.approx(whole, rel=1e-4)
    assert told.count("Ready:") == 1
