"""Writes a file or a folder whole or not at all: filled under another name beside it, then renamed into place."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import ModelError

PART = ".part"  # ends the names of files that are not whole yet


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """A file name beside `path` to write to. It replaces `path` if the block succeeds, else it is removed. Raises OSError.

    Several processes may write the same `path`: each has a name of its own, and the last one wins. A killed process leaves its
    `.part` file. `durable` waits until the bytes are on the disk, so that `path` is there and whole after a power cut too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}{PART}")
    try:
        yield part
        if durable:
            flush(part)
        part.replace(path)
        if durable:
            flush(path.parent)  # the name lives in the folder, not in the file
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path, resume: bool = False) -> Iterator[Path]:
    """A fresh sibling of `folder` to fill; it takes the name `folder`, replacing what was there, if the block succeeds.

    What a killed process left in the sibling is removed first, or with `resume` kept. Raises ModelError while another process
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
            swap(folder, partial)
    except Timeout:
        raise ModelError(f"Another process is making {folder} just now: wait for it to finish.") from None
    except OSError as error:
        raise ModelError(f"{folder} can't be made: {error}. Check the path, who may write there, and the free space.") from error


def swap(folder: Path, partial: Path) -> None:
    """Gives `partial` the name `folder`; a folder that had it before is removed."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def flush(path: Path) -> None:
    """Returns once the file's bytes, or the folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
