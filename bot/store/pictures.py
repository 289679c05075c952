"""The files of pictures, named by their sha256. A kill leaves a file whole or absent."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path


class PictureFiles:
    """The folder of all pictures (GANDER_HOME/pictures)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, sha256: str) -> Path:
        # 256 folders: a single one with a hundred thousand files is slow to list and to back up.
        return self._folder / sha256[:2] / sha256

    async def save(self, sha256: str, data: bytes) -> None:
        await asyncio.to_thread(self._save, sha256, data)

    async def load(self, sha256: str) -> bytes:
        return await asyncio.to_thread(self.path(sha256).read_bytes)

    async def delete(self, sha256s: Sequence[str]) -> None:
        await asyncio.to_thread(self._delete, sha256s)

    async def prune(self, kept: Collection[str], before: float) -> int:
        """Delete all files but the `kept` that were last saved before this Unix time; how many."""
        return await asyncio.to_thread(self._prune, kept, before)

    # As engine/atomic_write.py does, which the bot may not import; and durable to its name, since a row is going to name the file.
    def _save(self, sha256: str, data: bytes) -> None:
        path = self.path(sha256)
        if path.exists():
            path.touch()  # as good as new: `prune` leaves it alone
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{secrets.token_hex(8)}")
        try:
            with aside.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        _sync_folder(path.parent)

    def _delete(self, sha256s: Sequence[str]) -> None:
        for sha256 in sha256s:
            self.path(sha256).unlink(missing_ok=True)

    def _prune(self, kept: Collection[str], before: float) -> int:
        unwanted = [path for path in self._folder.glob("*/*") if path.name not in kept and path.stat().st_mtime < before]
        for path in unwanted:
            path.unlink(missing_ok=True)
        return len(unwanted)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: the name lives in the folder, not in the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
