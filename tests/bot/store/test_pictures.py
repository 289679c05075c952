"""A picture's file is whole or absent."""

from __future__ import annotations

import os
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


async def test_originals_make_room_for_newer_ones_and_go_with_their_picture(tmp_path: Path) -> None:
    files = PictureFiles(tmp_path, originals=10)
    for number, name in enumerate("abc"):
        await files.keep_original(name, b"12345", 10 * number)
        for path in _files(tmp_path):
            if path.name.startswith(name):
                os.utime(path, (number, number))
    await files.keep_original("d", b"more than there is room for")
    assert [await files.original(name) for name in "abcd"] == [None, b"12345", b"12345", None]
    assert [await files.original_side(name) for name in "abcd"] == [0, 10, 20, 0]
    await files.delete(["c"])
    assert await files.original("c") is None
    assert await files.prune((), 2.0) == 1  # as retention does, once a day has passed
    assert _files(tmp_path) == []
    await PictureFiles(tmp_path).keep_original("a", b"12345")
    assert _files(tmp_path) == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
