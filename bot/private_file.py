"""Files that nobody but the bot's own user may read: they hold what people wrote and showed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def private(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes is for its owner alone."""
    return os.open(path, flags, 0o600)


def make_private(file: Path) -> None:
    """Make an empty file where there is none; either way it is for its owner alone, where it is ours."""
    with suppress(OSError):  # what can't be made or changed is said by whoever opens it
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:  # not opened: closing it would drop the locks that this process has on it
            file.chmod(0o600)


def private_folder(folder: Path) -> Path:
    """The folder, for its owner alone: older versions let everyone read the files in it. Raises OSError where it can't be made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):  # another user's, who shares it with us
        folder.chmod(0o700)
    return folder
