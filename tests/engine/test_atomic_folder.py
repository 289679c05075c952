"""A model folder appears whole or not at all, whatever happens to the process that makes it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.atomic_folder import aside
from engine.errors import ModelError

FILL_AND_HANG = """
import sys, time
from pathlib import Path
from engine.atomic_folder import aside
with aside(Path(sys.argv[1])) as partial:
    (partial / "gander.json").write_text("{}")
    print("filling", flush=True)
    time.sleep(60)
"""


def hanging_filler(folder: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", FILL_AND_HANG, str(folder)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "filling\n"
    return child


def test_a_killed_conversion_leaves_no_folder_and_the_next_one_succeeds(tmp_path: Path) -> None:
    folder = tmp_path / "pocket"
    with hanging_filler(folder) as child:
        child.send_signal(signal.SIGKILL)
    assert not folder.exists()
    with aside(folder) as partial:
        assert not list(partial.iterdir()), "the killed one's files are gone"
        (partial / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_an_error_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "pocket"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(ModelError, match=r"can't be made: .*No such file"), aside(folder) as partial:
        (partial / "missing" / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["old"]


def test_a_new_version_replaces_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pocket"
    for name in ("old", "new"):
        with aside(folder) as partial:
            (partial / name).touch()
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_two_processes_do_not_fill_the_same_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pocket"
    with hanging_filler(folder) as child:
        with pytest.raises(ModelError, match="Another process is making"), aside(folder):
            pass
        child.kill()
