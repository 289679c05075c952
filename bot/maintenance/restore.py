"""Puts a backup back: the pictures first, then the database in one move, so that a kill leaves the old one or the new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.engine import make_url

from bot.errors import ConfigError
from bot.maintenance.backup import (
    PICTURES,
    POSTGRESQL,
    SQLITE,
    BackupNote,
    Progress,
    copy_pictures,
    copy_sqlite,
    integrity,
    kind_of,
    read_note,
    run_tool,
)
from bot.store.database import DatabaseTime, is_sqlite
from bot.store.pictures import PictureFiles
from bot.store.sqlite_file import BESIDE
from bot.store.tables import BotRow, Row
from engine.atomic_write import flush, replacing

USED: Final = 15.0  # seconds since a bot's last heartbeat in which it counts as running


def check_backup(folder: Path, url: str, known: Sequence[str]) -> BackupNote:
    """Look a backup over before anything is changed. `known`: the revisions that this Gander knows. Raises ConfigError."""
    note = read_note(folder)
    if note.database != kind_of(url):
        raise ConfigError(f"{folder} is a backup of {note.database}, and store.url names {kind_of(url)}: name the same kind of database.")
    if note.revision not in known:
        raise ConfigError(f"{folder} was made by a newer Gander ({note.gander}, revision {note.revision}): restore it with that one.")
    copy = folder / (SQLITE if is_sqlite(url) else POSTGRESQL)
    if not copy.is_file():
        raise ConfigError(f"{folder} is not whole: {copy.name} is missing.")
    if is_sqlite(url):
        with closing(sqlite3.connect(f"file:{copy.absolute()}?mode=ro&immutable=1", uri=True)) as connection:
            fault = _integrity(connection)
        if fault:
            raise ConfigError(f"{copy} is damaged ({fault}): nothing was changed. Restore another backup.")
    return note


def restore(folder: Path, url: str, files: PictureFiles, tell: Progress) -> int:
    """Put a backup that was looked over in the place of what is there; how many pictures it brought. The bot must not run, and on
    PostgreSQL `drop_tables` comes first."""
    stored = PictureFiles(folder / PICTURES)
    brought = copy_pictures(stored, files, stored.names(), tell)
    if is_sqlite(url):
        put_sqlite(folder / SQLITE, Path(make_url(url).database or ""), tell)
    else:
        tell("database", 0, 1)
        run_tool("pg_restore", url, "--no-owner", "--single-transaction", str(folder / POSTGRESQL))
        tell("database", 1, 1)
    return brought


def check_unused(connection: Connection) -> None:
    """Raises ConfigError while bots use the database."""
    used = select(BotRow.name).where(BotRow.heartbeat > DatabaseTime() - USED).order_by(BotRow.name)
    bots = connection.scalars(used).all() if inspect(connection).has_table(BotRow.__tablename__) else ()
    if bots:
        raise ConfigError(f"{', '.join(bots)} runs on this database: stop it, and try again {USED:.0f} s later. Nothing was changed.")


def drop_tables(connection: Connection) -> None:
    """Drop Gander's own tables, and no others. Raises ConfigError while bots use them."""
    check_unused(connection)
    Row.metadata.drop_all(connection)
    connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def put_sqlite(copy: Path, file: Path, tell: Progress) -> None:
    with replacing(file, durable=True) as part:
        copy_sqlite(f"sqlite:///{copy}", part, tell)
        for end in BESIDE:  # the old one's log would be taken for the new one's
            file.with_name(file.name + end).unlink(missing_ok=True)
    flush(file.parent)


def _integrity(connection: sqlite3.Connection) -> str:
    try:
        return integrity(connection)
    except sqlite3.DatabaseError as error:
        return str(error)
