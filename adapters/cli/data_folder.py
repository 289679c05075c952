"""Whether the data folder takes what `gander run` writes there, found out by writing: rights are not all, and not of one folder alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

FOLDERS = ("models", "downloads", "pictures", "exports", "logs", "engine")
FILES = ("gander.db", "bot.lock", "name")


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there and may be looked at."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if os.access(each, os.F_OK))


def unwritable(home: Path) -> OSError | None:
    """What went wrong first, with the folder's or file's name; None where all can be written."""
    try:
        for folder in (home, *(home / name for name in FOLDERS)):
            try_to_write(folder)
        for file in (home / name for name in FILES):
            if os.access(file, os.F_OK):
                file.open("ab").close()
    except OSError as error:
        return error
    return None


def try_to_write(folder: Path) -> None:
    """Raises OSError."""
    try:
        with tempfile.TemporaryFile(dir=nearest(folder)) as file:
            file.write(b"gander")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
