"""The database's files are for the bot's own user alone, whoever made them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.store.sqlite_file import DatabaseFile


def mode(file: Path) -> str:
    return oct(file.stat().st_mode & 0o777)


@pytest.mark.parametrize("there", [False, True])
def test_files_become_private(tmp_path: Path, there: bool) -> None:
    file, log = tmp_path / "gander.db", tmp_path / "gander.db-wal"
    if there:
        for each in (file, log):
            each.touch(0o644)
    DatabaseFile(file)
    assert mode(file) == "0o600"
    assert not there or mode(log) == "0o600"
    assert log.exists() is there


def test_the_locks_on_an_open_database_are_kept(tmp_path: Path) -> None:
    """Whoever opens and closes a file loses all locks that the process has on it."""
    file = tmp_path / "gander.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        DatabaseFile(file)
        locks = Path("/proc/locks")
        if not locks.exists():
            pytest.skip("locks can be looked at on Linux alone")
        assert f":{file.stat().st_ino} " in locks.read_text()


def test_a_database_in_memory_has_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    DatabaseFile(Path())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    DatabaseFile(tmp_path / "missing" / "gander.db")
    assert list(tmp_path.iterdir()) == []
