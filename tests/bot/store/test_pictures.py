"""A picture's file is whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.store.pictures import PictureFiles
from tests.bot.samples import picture


async def test_what_is_saved_is_loaded_and_saved_once(tmp_path: Path) -> None:
    files, goose = PictureFiles(tmp_path), picture()
    for _ in range(2):
        await files.save(goose.sha256, goose.data)
    assert await files.load(goose.sha256) == goose.data
    assert _files(tmp_path) == [files.path(goose.sha256)]


async def test_a_write_that_breaks_leaves_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    files, goose = PictureFiles(tmp_path), picture()
    with pytest.raises(OSError, match="No space"):
        await files.save(goose.sha256, goose.data)
    assert _files(tmp_path) == []


async def test_what_is_deleted_may_be_deleted_again(tmp_path: Path) -> None:
    files, goose = PictureFiles(tmp_path), picture()
    await files.save(goose.sha256, goose.data)
    for _ in range(2):
        await files.delete([goose.sha256])
    assert not files.path(goose.sha256).exists()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
