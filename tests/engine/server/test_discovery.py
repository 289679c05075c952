"""An engine that can be found: by its owner, while it lives, and by what it serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.engines.discovery import living_engines
from engine.api import RunningEngine
from engine.server.discovery import advertise

URL = "http://127.0.0.1:8123"


def home_with(tmp_path: Path, *models: str) -> Path:
    for name in models:
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "gander.json").touch()
    return tmp_path


def engine(home: Path, url: str = URL, model: str = "tiny") -> RunningEngine:
    return RunningEngine(url=url, key="a secret", folder=str((home / "models" / model).resolve()), pid=os.getpid())


def place(home: Path) -> Path:
    return home / "engine" / "running"


def test_it_is_found_by_its_model_while_it_lives(tmp_path: Path) -> None:
    home = home_with(tmp_path, "tiny", "other")
    with advertise(place(home), engine(home)):
        assert [found.url for found in living_engines(home, "tiny")] == [URL]
        assert [found.url for found in living_engines(home, str(home / "models" / "tiny"))] == [URL]
        assert not list(living_engines(home, "other"))
        assert not list(living_engines(home, "missing"))
        assert not list(living_engines(tmp_path / "elsewhere", str(home / "models" / "tiny")))
    assert not list(living_engines(home, "tiny"))
    assert not list(place(home).iterdir())


def test_one_that_was_killed_is_not_found_and_gives_its_place_to_the_next(tmp_path: Path) -> None:
    home = home_with(tmp_path, "tiny")
    code = f"""
import os, sys, time
from pathlib import Path
from engine.api import RunningEngine
from engine.server.discovery import advertise
with advertise(Path({str(place(home))!r}), RunningEngine.model_validate_json({engine(home).model_dump_json()!r})):
    print("there", flush=True)
    time.sleep(600)
"""
    child = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(Path.cwd())})
    assert child.stdout is not None
    assert child.stdout.readline() == b"there\n"
    assert len(list(living_engines(home, "tiny"))) == 1
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert list(place(home).iterdir())
    assert not list(living_engines(home, "tiny"))
    with advertise(place(home), engine(home)):
        assert len(list(living_engines(home, "tiny"))) == 1


@pytest.mark.parametrize("rights", [0o644, 0o660, 0o602])
def test_what_others_could_have_read_or_written_is_not_believed(tmp_path: Path, rights: int) -> None:
    home = home_with(tmp_path, "tiny")
    with advertise(place(home), engine(home)):
        (file,) = place(home).iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(rights)
        assert not list(living_engines(home, "tiny"))


@pytest.mark.parametrize("url", ["http://192.0.2.1:8123", "http://example.org:8123", "file:///etc"])
def test_a_key_goes_to_no_other_machine(tmp_path: Path, url: str) -> None:
    home = home_with(tmp_path, "tiny")
    with advertise(place(home), engine(home, url)):
        assert not list(living_engines(home, "tiny"))


def test_what_is_no_engine_s_note_is_passed_over(tmp_path: Path) -> None:
    home = home_with(tmp_path, "tiny")
    with advertise(place(home), engine(home)):
        (place(home) / "9.json").write_text("{")
        (place(home) / "8.json").mkdir()
        (place(home) / "7.json").symlink_to("/etc/passwd")
        assert len(list(living_engines(home, "tiny"))) == 1


def test_an_engine_in_a_folder_that_it_cannot_write_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with advertise(tmp_path / "file" / "running", engine(tmp_path)):
        pass
