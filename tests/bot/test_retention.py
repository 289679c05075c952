"""What is swept away and what stays, in a real database and a real folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from bot.retention import DAY_SECONDS, Retention
from bot.store import forgetting, graph
from bot.store.database import Database
from bot.store.pictures import PictureFiles
from bot.store.tables import MessageRow
from tests.bot.samples import add_message, picture

NOW = 100 * DAY_SECONDS
OLD, YOUNG = NOW - 8 * DAY_SECONDS, NOW - 6 * DAY_SECONDS
GOOSE, DUCK, STRAY = picture(b"goose"), picture(b"duck"), picture(b"stray")


@pytest.fixture
def files(tmp_path: Path) -> PictureFiles:
    return PictureFiles(tmp_path / "pictures")


async def save(files: PictureFiles, *contents: bytes, at: float) -> None:
    for shown in map(picture, contents):
        await files.save(shown.sha256, shown.data)
        os.utime(files.path(shown.sha256), (at, at))


async def remaining(database: Database) -> tuple[list[str], int]:
    def work(connection: Connection) -> tuple[list[str], int]:
        return list(connection.scalars(select(MessageRow.text).order_by(MessageRow.id))), len(graph.all_pictures(connection))

    return await database.read(work)


async def tell(database: Database, files: PictureFiles) -> None:
    """Old words about a goose and a duck, and young ones about the duck."""
    await save(files, b"goose", b"duck", at=OLD)

    def work(connection: Connection) -> None:
        old = add_message(connection, "old", pictures=(GOOSE, DUCK), at=OLD)
        add_message(connection, "young", parent=old, pictures=(DUCK,), at=YOUNG)

    await database.write(work)


async def test_old_messages_go_with_pictures_that_nobody_shows_any_more(
    database: Database, files: PictureFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "BATCH", 1)
    await tell(database, files)
    await Retention(database, files, tmp_path / "exports", days=7, clock=lambda: NOW).sweep()
    assert await remaining(database) == (["young"], 1)
    assert not files.path(GOOSE.sha256).exists()
    assert await files.load(DUCK.sha256) == DUCK.data


async def test_without_a_period_everything_stays(database: Database, files: PictureFiles, tmp_path: Path) -> None:
    await tell(database, files)
    await Retention(database, files, tmp_path / "exports", days=0, clock=lambda: NOW).sweep()
    assert await remaining(database) == (["old", "young"], 2)
    assert files.path(GOOSE.sha256).exists()


async def test_files_without_a_row_go_once_they_are_old_and_a_new_save_keeps_them(
    database: Database, files: PictureFiles, tmp_path: Path
) -> None:
    await tell(database, files)
    await save(files, b"stray", at=OLD)
    await save(files, b"being saved", at=NOW)
    (half := files.path(STRAY.sha256).with_name(".half-written")).touch()
    os.utime(half, (OLD, OLD))
    await save(files, b"shown again", at=OLD)
    await files.save(picture(b"shown again").sha256, b"shown again")
    await Retention(database, files, tmp_path / "exports", days=0, clock=lambda: NOW).sweep()
    assert not files.path(STRAY.sha256).exists()
    assert not half.exists()
    for kept in (b"goose", b"duck", b"being saved", b"shown again"):
        assert files.path(picture(kept).sha256).exists()


async def test_a_folder_that_is_not_there_yet_is_swept_too(database: Database, files: PictureFiles, tmp_path: Path) -> None:
    await Retention(database, files, tmp_path / "exports", days=7, clock=lambda: NOW).sweep()
    assert await remaining(database) == ([], 0)


async def test_exports_of_demos_go_after_a_day(database: Database, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    for name, age in (("old.html", 2 * DAY_SECONDS), ("new.html", 60.0)):
        (exports / name).write_text("a goose")
        os.utime(exports / name, (NOW - age, NOW - age))
    await Retention(database, PictureFiles(tmp_path / "pictures"), exports, days=0, clock=lambda: NOW).sweep()
    assert [path.name for path in exports.iterdir()] == ["new.html"]
