"""Notices that the database's file was deleted or replaced while it is open, as by somebody who tidies up, and writes it back.

An open file that was deleted lives on without a name: all that is written then would be gone with the process.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

from bot.private_file import make_private

BESIDE: Final = ("-wal", "-shm")  # SQLite's files beside a database

log = structlog.get_logger(__name__)


class FileReplaced(OSError):
    """Another file stands in the database's place."""


class DatabaseFile:
    """The file of one database. Only one thread may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.name:  # not one in memory
            for file in (path, *(each for end in BESIDE if (each := path.with_name(path.name + end)).exists())):
                make_private(file)
        self._known: tuple[int, int] | None = None  # device and number of the file that is open; None: it is not open yet

    def missing(self) -> bool:
        """Whether the open file was deleted. Raises FileReplaced where it is another now."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._known is not None
        here = found.st_dev, found.st_ino
        self._known = self._known or here
        if here != self._known:
            raise FileReplaced(f"{self._path} is another file than the one that is open: restart Gander to use it")
        return False

    def check_not_deleted(self, *_: object) -> None:
        """Before a connection is made, which would make an empty file in the place of a deleted one. Raises FileNotFoundError."""
        if self._known is not None and not self._path.exists():
            raise FileNotFoundError(f"{self._path} was deleted")

    def restore(self, connection: sqlite3.Connection) -> None:
        """Write the deleted file anew, from a connection that still has it open. Connections have to be made anew then."""
        log.error("database_file_deleted", path=str(self._path), remedy="it is written back now; stop Gander before you move or delete it")
        copy = self._path.with_name(f"{self._path.name}.rescued")
        copy.unlink(missing_ok=True)
        make_private(copy)
        with closing(sqlite3.connect(copy)) as fresh:
            connection.backup(fresh)
        for end in BESIDE:  # of the deleted one
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)
        copy.replace(self._path)
        self._known = None
        self.missing()
        log.info("database_file_restored", path=str(self._path))
