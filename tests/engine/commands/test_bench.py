"""`gander bench` writes its files, and names what it can't do."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.__main__ import app
from engine.bench.report import Report


def test_the_command_writes_its_files(tmp_path: Path, pocket_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_HOME", str(pocket_home))
    numbers, picture = tmp_path / "figures.json", tmp_path / "chart.png"
    options = ["--rounds", "1", "--tokens", "4", "--quantize", "int8", "--json", str(numbers), "--png", str(picture)]
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 0, done.output
    assert Report.model_validate_json(numbers.read_bytes()).contenders == ["gander int8"]
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "said"), [(["--scenario", "everything"], "one, streams"), (["--scenario", "turns", "--png", "x"], "draw")]
)
def test_the_command_names_what_it_can_not_do(options: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 2
    assert said in done.output
