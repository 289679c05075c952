"""Lets other programs of the same user find this running engine, so that they need not load the model again.

A file in the data folder holds the address and the key. Only its owner can read it. The engine holds a lock on it as long as it lives,
however it ends: a file without a lock is left from a dead engine, and the address in it is not asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from filelock import lock_descriptor

from engine.api import RunningEngine

log = structlog.get_logger()


@contextmanager
def advertise(folder: Path, engine: RunningEngine) -> Iterator[None]:
    """Keeps the file in `folder` as long as this block lasts. If it can't be written, the engine runs all the same, and is not found."""
    port = engine.url.rpartition(":")[2]
    path = folder / f"{port}.json"
    try:
        file = write(path, engine)
    except OSError as error:
        log.warning("other programs will not find this engine", file=str(path), error=str(error))
        yield
        return
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def write(path: Path, engine: RunningEngine) -> int:
    """Writes and locks the file → its open descriptor. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)  # left from a dead engine, perhaps with other permissions
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        lock_descriptor(file)  # waits only for a program that looks at the file just now
        os.write(file, engine.model_dump_json().encode())
    except OSError:
        os.close(file)
        raise
    return file
