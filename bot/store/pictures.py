"""The files of pictures, named by their sha256. A kill leaves a file whole or absent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bot.message import Picture
from bot.private_file import private
from engine.atomic_write import replacing

NAME_LENGTH: Final = 64  # hexadecimal digits of a sha256; whatever else lies in the folder is no picture
ORIGINAL: Final = ".original"  # what an original's name ends with: `prune` knows no row for it, and deletes it after a day


class PictureFiles:
    """The folder of all pictures (GANDER_HOME/pictures). `encoded`: where an engine of our own keeps what it made of them.

    `originals`: bytes that the files as people sent them may take, which show more than what is kept of them; 0: none are kept.
    """

    def __init__(self, folder: Path, encoded: Path | None = None, originals: int = 0) -> None:
        self._folder = folder
        self._encoded = encoded
        self._room = originals
        self._told: list[Callable[[Sequence[str]], None]] = []

    def path(self, sha256: str) -> Path:
        # 256 folders: a single one with a hundred thousand files is slow to list and to back up.
        return self._folder / sha256[:2] / sha256

    async def save(self, sha256: str, data: bytes) -> None:
        await asyncio.to_thread(self._save, sha256, data)

    async def save_with_original(self, picture: Picture) -> None:
        """Save a picture as it was taken in, and the file that it was made of where that shows more."""
        await self.save(picture.sha256, picture.data)
        await self.keep_original(picture.sha256, picture.original, picture.original_side)

    async def load(self, sha256: str) -> bytes:
        return await asyncio.to_thread(self.path(sha256).read_bytes)

    async def keep_original(self, sha256: str, data: bytes, side: int = 0) -> None:
        """Keep the file that a picture, or a film's first frame, was made of. The oldest ones make room for it. `side`: pixels of a
        picture's longer side, which are in the file's name: nobody needs to open it to know them."""
        if 0 < len(data) <= self._room:
            await asyncio.to_thread(self._keep_original, sha256, data, side)

    async def original(self, sha256: str) -> bytes | None:
        """None: none was kept, or it isn't any more."""
        return await asyncio.to_thread(self._load_original, sha256)

    async def original_side(self, sha256: str) -> int:
        """Pixels of the longer side of the file that is kept of a picture as it was sent; 0: there is none, or it is a film."""
        return max(map(_side, await asyncio.to_thread(self._originals, sha256)), default=0)

    async def delete(self, sha256s: Sequence[str]) -> None:
        await asyncio.to_thread(self._delete, sha256s)
        for tell in self._told:
            tell(sha256s)

    def tell(self, told: Callable[[Sequence[str]], None]) -> None:
        """Let `told` be called after each deletion, also of words alone: others keep what they made of both."""
        self._told.append(told)

    async def prune(self, kept: Collection[str], before: float) -> int:
        """Delete all files but the `kept` that were last saved before this Unix time; how many."""
        return await asyncio.to_thread(self._prune, kept, before)

    def names(self) -> list[str]:
        """The sha256 of every file that is there."""
        return sorted(path.name for path in self._folder.glob("??/*") if len(path.name) == NAME_LENGTH)

    def _save(self, sha256: str, data: bytes) -> None:
        path = self.path(sha256)
        if path.exists():
            path.touch()  # as good as new: `prune` leaves it alone
            return
        # Durable, since a row is going to name the file.
        with replacing(path, durable=True) as part, open(part, "wb", opener=private) as file:
            file.write(data)

    def _originals(self, sha256: str) -> list[Path]:
        """One, or none; several where the same picture came in files of several sizes."""
        return list((self._folder / "originals").glob(f"{sha256}*{ORIGINAL}"))

    def _load_original(self, sha256: str) -> bytes | None:
        found = self._originals(sha256)
        with suppress(FileNotFoundError):  # it makes room for another just now
            return max(found, key=_side).read_bytes() if found else None
        return None

    def _keep_original(self, sha256: str, data: bytes, side: int) -> None:
        path = self._folder / "originals" / f"{sha256}.{side}{ORIGINAL}"
        with replacing(path) as part, open(part, "wb", opener=private) as file:
            file.write(data)
        taken, newest_first = 0, sorted(_files(path.parent, f"*{ORIGINAL}"), key=lambda each: each[1], reverse=True)
        for found, _, size in newest_first:
            taken += size
            if taken > self._room and found != path:
                found.unlink(missing_ok=True)

    def _delete(self, sha256s: Sequence[str]) -> None:
        for sha256 in sha256s:
            self.path(sha256).unlink(missing_ok=True)
            for original in self._originals(sha256):
                original.unlink(missing_ok=True)
            for file in self._encoded.glob(f"*/{sha256}.*") if self._encoded else ():  # of each model
                file.unlink(missing_ok=True)

    def _prune(self, kept: Collection[str], before: float) -> int:
        unwanted = [path for path, written, _ in _files(self._folder, "*/*") if path.name not in kept and written < before]
        for path in unwanted:
            path.unlink(missing_ok=True)
        return len(unwanted)


def _side(original: Path) -> int:
    """As `_keep_original` named it."""
    side = original.name.split(".")[1]
    return int(side) if side.isdigit() else 0


def _files(folder: Path, names: str) -> list[tuple[Path, float, int]]:
    """Each file with when it was written, as Unix time, and its bytes. Another bot may delete one at any time."""
    found = []
    for path in folder.glob(names):
        with suppress(FileNotFoundError):
            status = path.stat()
            found.append((path, status.st_mtime, status.st_size))
    return found
