"""Lets other programs of the same person find this engine, so that one question need not load the model once more.

A file in the data folder says where it listens and what key it wants. Only its owner can read it, and the engine holds a lock on it
for as long as it lives, however it ends: a file without a lock tells of nobody, and whoever took that port since is not asked.
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
    """The file is in `folder` as long as this block lasts. Where it can't be, the engine runs all the same, and is not found."""
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
    """Returns the open, locked file's descriptor. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)  # a dead engine's, whose rights may be other ones
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        lock_descriptor(file)  # waits only for a program that looks at the file just now
        os.write(file, engine.model_dump_json().encode())
    except OSError:
        os.close(file)
        raise
    return file
