"""A data folder that can't be written is known by writing to it, in whatever part of it the trouble lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.cli.data_folder import unwritable


def test_what_can_be_written_is_not_complained_about(tmp_path: Path) -> None:
    assert unwritable(tmp_path) is None
    assert unwritable(tmp_path / "not" / "made yet") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("blocked", ["", "logs", "models"])
def test_a_file_in_a_folder_s_place_is_named(tmp_path: Path, blocked: str) -> None:
    home = tmp_path / "home"
    if blocked:
        home.mkdir()
    (home / blocked).write_text("a file stands where the folder should be")
    fault = unwritable(home)
    assert fault is not None
    assert Path(str(fault.filename)) == home / blocked


def test_a_database_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "gander.db").mkdir()
    fault = unwritable(tmp_path)
    assert fault is not None
    assert fault.filename == str(tmp_path / "gander.db")
