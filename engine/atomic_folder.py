"""Makes ready model folders whole or not at all: filled aside, renamed into place, one writer at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import ModelError


@contextmanager
def aside(folder: Path, resume: bool = False) -> Iterator[Path]:
    """A fresh sibling of `folder` to fill; it takes the name `folder`, replacing what was there, if the block succeeds.

    What a killed predecessor left is removed first, or with `resume` handed over. Raises ModelError while another process
    fills the same folder, and where the disk is full or not ours to write to.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            if not resume:
                shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(exist_ok=True)
            yield partial
            _replace(folder, partial)
    except Timeout:
        raise ModelError(f"Another process is making {folder} just now: wait for it to finish.") from None
    except OSError as error:
        raise ModelError(f"{folder} can't be made: {error}. Check the path, who may write there, and the free space.") from error


def _replace(folder: Path, partial: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
