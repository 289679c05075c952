"""`gander evaluate` from end to end, where no package can be had: what is drawn is measured, the rest says why not."""

import json
from pathlib import Path

from typer.testing import CliRunner

from engine.__main__ import app


def test_what_needs_no_package_is_measured_and_the_rest_is_skipped(pocket_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(pocket_home / "models")
    empty = tmp_path / "empty"
    empty.mkdir()
    command = ["evaluate", "pocket", "--json", "--limit", "1", "--from", str(empty), "--failures", str(tmp_path / "failures.txt")]
    ended = CliRunner(env={"GANDER_HOME": str(home)}).invoke(app, command)
    results = {result["name"]: result for result in json.loads(ended.stdout)["results"]}
    assert results["position"]["n"] == 1
    assert results["five-turn follow-ups"]["n"] == 5
    assert results["text alone equals SmolLM2 (fp32)"]["share"] == 1
    assert "tuxpaint-stamps-default" in results["animal photos"]["skipped"]
    missed = sum(result["met"] is False for result in results.values())
    assert ended.exit_code == (1 if missed else 0), ended.stderr
    wrong = sum(len(result["failures"]) for result in results.values())
    assert len((tmp_path / "failures.txt").read_text("utf-8").splitlines()) == wrong
