"""`gander db`: what a person is told and what is on the disk afterwards, on real databases with a bot that runs meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner, Result

from adapters.cli.database_commands import app
from adapters.process_names import LOCK, lock
from bot.maintenance import backup
from bot.maintenance.backup import NOTE, PICTURES, SQLITE
from bot.store import migrate
from bot.store.database import connect, sqlite_url
from bot.store.tables import BotRow
from tests.bot.rig import DUCK, GOOSE, ScriptedEngine, attachment, echo, running
from tests.bot.samples import PLACE

pytestmark = pytest.mark.sqlite


def db(home: Path, *arguments: str, url: str = "") -> Result:
    environment = {"GANDER_HOME": str(home), "GANDER_STORE_URL": url, "GANDER_CONFIG": os.devnull, "NO_COLOR": "1", "COLUMNS": "200"}
    return CliRunner(env=environment).invoke(app, [*arguments], prog_name="gander db", catch_exceptions=False)


async def fill(home: Path, url: str) -> Result:
    """A bot is asked about two pictures; what a backup says that was made while it ran and was asked more."""
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(url, home, engine) as rig:
        for number, picture in enumerate((GOOSE, DUCK), 1):
            await rig.say(f"question {number}", attachments=(attachment(picture),))
        await rig.finals(2)
        copying = asyncio.create_task(
            asyncio.to_thread(db, home, "backup", str(home / "saved"), url="" if url.startswith("sqlite") else url)
        )
        while not copying.done():
            await rig.say("meanwhile")
        await rig.finals(2)
    return copying.result()


async def history(home: Path, url: str) -> tuple[list[str], int]:
    """What was said, and how many pictures can be read, as a bot sees it that starts there."""
    async with running(url, home, ScriptedEngine(echo, away=True)) as rig:
        messages = await rig.core.history(PLACE, 1_000)
        shown = [
            path for message in messages for each in message.pictures if (path := await rig.core.picture(PLACE, each)) and path.is_file()
        ]
        return [message.text for message in messages if message.role == "user"], len(shown)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a backup that was made while the bot ran."""
    home = tmp_path_factory.mktemp("saved")
    result = asyncio.run(fill(home, sqlite_url(home / "gander.db")))
    assert result.exit_code == 0, result.output
    assert "2 pictures. It is yours to protect." in result.output
    return home


def test_a_backup_of_a_running_bot_is_restored_with_its_pictures(saved: Path, tmp_path: Path) -> None:
    copy = saved / "saved"
    assert oct((copy / SQLITE).stat().st_mode & 0o777) == oct((copy / NOTE).stat().st_mode & 0o777) == "0o600"
    assert {path.name for path in copy.iterdir()} == {SQLITE, NOTE, PICTURES}
    result = db(tmp_path, "restore", str(copy))
    assert (result.exit_code, "with 2 pictures. Start Gander." in result.output) == (0, True)
    said, shown = asyncio.run(history(tmp_path, sqlite_url(tmp_path / "gander.db")))
    assert said[:2] == ["question 1", "question 2"]
    assert shown == 2
    assert db(tmp_path, "check").exit_code == 0


def test_nothing_is_restored_over_what_is_in_use_unless_it_is_told_to(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "home")
    home = tmp_path / "home"
    with closing(sqlite3.connect(home / "gander.db")) as database:
        database.execute("UPDATE message SET text = 'newer' WHERE text = 'question 1'")
        database.commit()
    refused = db(home, "restore", str(home / "saved"))
    assert (refused.exit_code, "nothing was changed. --replace" in refused.output) == (1, True)
    with lock(home / LOCK):
        running = db(home, "restore", str(home / "saved"), "--replace")
    assert (running.exit_code, "stop it first" in running.output) == (1, True)
    assert asyncio.run(history(home, sqlite_url(home / "gander.db")))[0][0] == "newer"
    replaced = db(home, "restore", str(home / "saved"), "--replace")
    assert replaced.exit_code == 0
    assert asyncio.run(history(home, sqlite_url(home / "gander.db")))[0][0] == "question 1"
    (before,) = (home / "backups").iterdir()  # what stood there before
    again = db(tmp_path / "again", "restore", str(before))
    assert again.exit_code == 0
    assert asyncio.run(history(tmp_path / "again", sqlite_url(tmp_path / "again" / "gander.db")))[0][0] == "newer"


def damage(file: Path) -> None:
    """Overwrite the middle of a database."""
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2 // 4096 * 4096)
        opened.write(b"\xff" * 8192)


def test_what_is_no_whole_backup_changes_nothing(saved: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(saved / "saved", copy)
    note = json.loads((copy / NOTE).read_text())
    (copy / NOTE).write_text(json.dumps(note | {"revision": "9999"}))
    assert "made by a newer Gander" in db(tmp_path, "restore", str(copy)).output
    (copy / NOTE).write_text(json.dumps(note))
    damage(copy / SQLITE)
    refused = db(tmp_path, "restore", str(copy))
    assert (refused.exit_code, "damaged" in refused.output) == (1, True)
    assert "is no backup" in db(tmp_path, "restore", str(tmp_path)).output
    assert not (tmp_path / "gander.db").exists()


def test_check_finds_damage_and_what_belongs_to_nothing(saved: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(saved, home)
    assert db(home, "check").exit_code == 0
    orphan = home / "pictures" / "ff" / ("f" * 64)
    orphan.parent.mkdir(exist_ok=True)
    orphan.touch()
    with closing(sqlite3.connect(home / "gander.db")) as database:
        database.execute("DELETE FROM message_picture WHERE rowid = (SELECT min(rowid) FROM message_picture)")
        database.commit()
    left = db(home, "check")
    assert left.exit_code == 0
    assert "1 belong to no picture: ffff" in left.output
    assert "1 pictures that no message shows" in left.output
    shown = next(path for path in (home / "pictures").glob("*/*") if path != orphan)
    shown.unlink()
    missing = db(home, "check")
    assert (missing.exit_code, f"1 of 2 have no file: {shown.name[:12]}" in missing.output) == (1, True)
    damage(home / "gander.db")
    damaged = db(home, "check")
    assert (damaged.exit_code, "Restore a backup" in damaged.output or "can't be used" in damaged.output) == (1, True)
    refused = db(home, "backup", str(home / "another"))
    assert (refused.exit_code, (home / "another").exists()) == (1, False)
    assert not list(home.glob("another*"))


def test_migrate_shows_from_where_to_where_and_backs_up_first(tmp_path: Path) -> None:
    known = migrate.revisions()

    async def old() -> None:
        database = connect(sqlite_url(tmp_path / "gander.db"))
        await database.write(migrate.upgrade, known[-3])
        await database.close()

    asyncio.run(old())
    assert f"{known[-3]}; the newest is {known[-1]}" in db(tmp_path, "check").output
    with lock(tmp_path / LOCK):
        assert "stop it first" in db(tmp_path, "migrate").output
    result = db(tmp_path, "migrate")
    assert (result.exit_code, f"{known[-3]} → {known[-1]}" in result.output) == (0, True)
    (before,) = (tmp_path / "backups").iterdir()
    assert backup.read_note(before).revision == known[-3]
    assert "Nothing to do" in db(tmp_path, "migrate").output
    with closing(sqlite3.connect(tmp_path / "gander.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    newer = db(tmp_path, "migrate")
    assert (newer.exit_code, "a newer Gander" in newer.output) == (1, True)
    assert db(tmp_path, "check").exit_code == 1


def test_without_a_database_every_command_says_so(tmp_path: Path) -> None:
    for command in ("check", "backup", "migrate"):
        result = db(tmp_path, command)
        assert (result.exit_code, "There is no database" in result.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


async def test_postgresql_is_copied_by_its_own_programs(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, new = tmp_path / "one", tmp_path / "two"
    result = await fill(home, postgres_url)
    assert (result.exit_code, result.output.count("2 pictures")) == (0, 1), result.output
    used = await asyncio.to_thread(db, new, "restore", str(home / "saved"), "--replace", url=postgres_url)
    assert (used.exit_code, "gander runs on this database" in used.output) == (1, True)
    database = connect(postgres_url)
    await database.write(lambda connection: connection.execute(update(BotRow).values(heartbeat=0)).close())
    await database.close()
    there = await asyncio.to_thread(db, new, "restore", str(home / "saved"), url=postgres_url)
    assert (there.exit_code, "--replace" in there.output) == (1, True)
    back = await asyncio.to_thread(db, new, "restore", str(home / "saved"), "--replace", url=postgres_url)
    assert back.exit_code == 0, back.output
    said, shown = await history(new, postgres_url)
    assert (said[:2], shown) == (["question 1", "question 2"], 2)
    assert (await asyncio.to_thread(db, new, "check", url=postgres_url)).exit_code == 0
    monkeypatch.setattr(backup, "PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = await asyncio.to_thread(db, home, "backup", str(home / "again"), url=postgres_url)
    assert (missing.exit_code, "pg_dump is not here" in missing.output) == (1, True)
