"""A file or a model folder appears whole or not at all, whatever happens to the process that makes it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.atomic_write import replacing, replacing_folder
from engine.errors import ModelError

FILL_AND_HANG = """
import sys, time
from pathlib import Path
from engine.atomic_write import replacing_folder
with replacing_folder(Path(sys.argv[1])) as partial:
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
    with replacing_folder(folder) as partial:
        assert not list(partial.iterdir()), "the killed one's files are gone"
        (partial / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_an_error_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "pocket"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(ModelError, match=r"can't be made: .*No such file"), replacing_folder(folder) as partial:
        (partial / "missing" / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["old"]


def test_a_new_version_replaces_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pocket"
    for name in ("old", "new"):
        with replacing_folder(folder) as partial:
            (partial / name).touch()
    assert [path.name for path in folder.iterdir()] == ["new"]


def test_two_processes_do_not_fill_the_same_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pocket"
    with hanging_filler(folder) as child:
        with pytest.raises(ModelError, match="Another process is making"), replacing_folder(folder):
            pass
        child.kill()


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "made for it" / "file"
    with replacing(path, durable=durable) as part:
        part.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path, durable=durable) as part:
        part.write_text("half"[1 // 0])
    assert path.read_text() == "old"
    assert [each.name for each in path.parent.iterdir()] == ["file"], "nothing else is left"


def test_two_writers_of_one_file_do_not_share_a_name(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as first, replacing(tmp_path / "file") as second:
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "file").read_text() == "first", "the block that ended last"
