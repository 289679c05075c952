"""Makes backups while the bot runs: one folder with the database and the files of the pictures that it names.

SQLite is copied by its own backup call out of one snapshot, so that no write of the bot is seen by halves, and none waits.
PostgreSQL is copied by its own `pg_dump`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from bot import __version__
from bot.errors import ConfigError
from bot.private_file import make_private, private, private_folder
from bot.store.database import is_sqlite
from bot.store.pictures import PictureFiles
from engine.atomic_write import flush

SQLITE: Final = "gander.db"
POSTGRESQL: Final = "gander.pgdump"
PICTURES: Final = "pictures"
NOTE: Final = "backup.json"
PROGRAMS: Final = Path("/usr/lib/postgresql")  # Debian's
PAGES: Final = 1_000  # of SQLite's that are copied between two reports
PART: Final = ".part"  # ends the name of a backup that is not whole

Progress = Callable[[str, int, int], None]  # what is copied, how much of it, of how much


@dataclass(frozen=True, slots=True)
class BackupNote:
    """What a backup says of itself. Written last: a folder without it is no backup."""

    gander: str  # the version that made it
    made: str  # ISO 8601, UTC
    database: str  # sqlite or postgresql
    revision: str
    pictures: int  # files
    gone: int  # pictures whose files were deleted, or lost, before they were copied


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished one."""

    folder: Path
    note: BackupNote


def back_up(url: str, files: PictureFiles, folder: Path, revision: str, sha256s: Callable[[Path], Sequence[str]], tell: Progress) -> Backup:
    """Make a backup in `folder`, which must not be there yet. `sha256s`: the pictures that the copied database names.

    Raises ConfigError where that can't be, OSError for a disk that is full or not ours.
    """
    if folder.exists():
        raise ConfigError(f"{folder} is there already: name another folder for the backup.")
    part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}{PART}")
    if not folder.parent.exists():
        private_folder(folder.parent)
    private_folder(part)
    try:
        copy = part / (SQLITE if is_sqlite(url) else POSTGRESQL)
        (copy_sqlite if is_sqlite(url) else dump_postgresql)(url, copy, tell)
        wanted = sha256s(copy)
        copied = copy_pictures(files, PictureFiles(part / PICTURES), wanted, tell)
        note = BackupNote(
            __version__, datetime.now(UTC).isoformat(timespec="seconds"), kind_of(url), revision, copied, len(wanted) - copied
        )
        write_note(part, note)
        part.rename(folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Backup(folder, note)


def kind_of(url: str) -> str:
    return "sqlite" if is_sqlite(url) else "postgresql"


def copy_sqlite(url: str, copy: Path, tell: Progress) -> None:
    """Copy the database out of one snapshot, whoever writes meanwhile, and look the copy over. Raises ConfigError for a damaged one."""
    file = Path(make_url(url).database or "")
    if not file.is_file():
        raise ConfigError(f"There is no database at {file} yet: nothing to back up.")
    make_private(copy)
    try:
        with closing(sqlite3.connect(f"file:{file.absolute()}?mode=ro", uri=True, isolation_level=None)) as source:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on nothing changes for us
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target, pages=PAGES, progress=lambda _, left, total: tell("database", total - left, total), sleep=0)
                target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
                fault = integrity(target)
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{file} can't be copied: {error}. `gander db check` says what is damaged.") from error
    if fault:
        raise ConfigError(f"{file} is damaged ({fault}): the backup would be, too. Restore an earlier one.")
    flush(copy)


def integrity(connection: sqlite3.Connection) -> str:
    """What SQLite finds wrong with a file, in its words; empty: nothing."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
    return "" if found == ["ok"] else "; ".join(found)


def dump_postgresql(url: str, copy: Path, tell: Progress) -> None:
    """Copy the database by `pg_dump`, in its own compressed format. Raises ConfigError where that isn't installed, or fails."""
    tell("database", 0, 1)
    make_private(copy)
    run_tool("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={copy}")
    tell("database", 1, 1)


def run_tool(name: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs on a database. The password goes by its environment: arguments are seen by everybody."""
    program = shutil.which(name) or next((str(each) for each in sorted(PROGRAMS.glob(f"*/bin/{name}"))[-1:]), None)
    if program is None:
        remedy = "Install PostgreSQL's client programs (Debian: apt-get install postgresql-client), of the server's version or newer"
        raise ConfigError(f"{name} is not here, which copies a PostgreSQL database. {remedy}, or call it where the server runs.")
    parsed = make_url(url)
    environ = {"PGPASSWORD": parsed.password} if parsed.password else {}
    plain = parsed.set(drivername="postgresql", password=None).render_as_string()
    done = subprocess.run([program, *arguments, f"--dbname={plain}"], env=os.environ | environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{name} failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.returncode}")


def copy_pictures(source: PictureFiles, target: PictureFiles, sha256s: Sequence[str], tell: Progress) -> int:
    """Copy the files of these pictures; how many. One that is there is not copied again, one that is gone is left out."""
    copied = 0
    for number, sha256 in enumerate(sha256s, 1):
        copied += copy_picture(source.path(sha256), target.path(sha256))
        tell("pictures", number, len(sha256s))
    return copied


def copy_picture(source: Path, target: Path) -> bool:
    if target.exists():
        return True
    private_folder(target.parent)
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}{PART}")
    try:
        with source.open("rb") as read, open(part, "wb", opener=private) as written:
            shutil.copyfileobj(read, written)
        flush(part)
        part.replace(target)
    except FileNotFoundError:
        return False
    finally:
        part.unlink(missing_ok=True)
    return True


def write_note(folder: Path, note: BackupNote) -> None:
    with open(folder / NOTE, "w", encoding="utf-8", opener=private) as file:
        file.write(json.dumps(asdict(note), indent=2) + "\n")
    flush(folder / NOTE)


def read_note(folder: Path) -> BackupNote:
    """Raises ConfigError for a folder that is no whole backup."""
    try:
        return BackupNote(**json.loads((folder / NOTE).read_text("utf-8")))
    except FileNotFoundError:
        raise ConfigError(f"{folder} is no backup of `gander db backup`: it has no {NOTE}.") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{folder / NOTE} can't be read: {error}.") from error
