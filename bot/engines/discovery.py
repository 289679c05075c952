"""Finds an engine that runs already on this machine, for the same person, from the same data folder and with the same model."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Iterator
from fcntl import LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from engine.api import RunningEngine

FOLDER: Final = ("engine", "running")  # in the data folder
CARDS: Final = ("gander.json", "config.json")  # either of which makes a folder a ready model: ours, or a hub's


def living_engines(home: Path, model: str) -> Iterator[RunningEngine]:
    """The running engines on loopback that serve just this model: a name in `home`, or a folder."""
    wanted = model_folder(home, model)
    for path in sorted(home.joinpath(*FOLDER).glob("*.json")):
        engine = read(path)
        if engine is not None and wanted is not None and Path(engine.folder) == wanted and on_loopback(engine.url):
            yield engine


def model_folder(home: Path, model: str) -> Path | None:
    """A ready model's, found as the engine finds it: by its name or its repository's (`owner/name`), or a folder. None: there is none."""
    repository = model.partition("@")[0].rpartition("/")[2]
    folders = (home / "models" / model, home / "models" / repository, Path(model))
    found = next((folder for folder in folders if any((folder / card).is_file() for card in CARDS)), None)
    return found.resolve() if found else None


def read(path: Path) -> RunningEngine | None:
    """The address file of a running engine; None: the engine ended, or somebody else could have written the file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        told = os.fstat(file)
        if told.st_uid != os.getuid() or stat.S_IMODE(told.st_mode) & 0o077 or not locked(file):
            return None
        return RunningEngine.model_validate_json(os.read(file, 1 << 16))
    except (OSError, ValidationError):
        return None
    finally:
        os.close(file)


def locked(file: int) -> bool:
    """Whether the engine that wrote this file still runs: it holds a lock on it.

    Asked by a shared lock, which filelock has none of: two programs that look at once would take each other for the engine.
    """
    try:
        flock(file, LOCK_SH | LOCK_NB)
    except BlockingIOError:
        return True
    return False


def on_loopback(url: str) -> bool:
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False
