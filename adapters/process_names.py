"""The name of each process that answers from a data folder: no other on its database has it, and it is the same after a restart, so
that unfinished answers go on at once. File locks in the data folder keep a name for one process at a time."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy.engine import make_url

from bot.errors import ConfigError
from bot.store.database import is_sqlite

LOCK: Final = "bot.lock"


@contextmanager
def only_bot(home: Path) -> Iterator[str]:
    """The name of the one bot that serves platforms from this folder. Raises ConfigError while another does, or where nobody may write."""
    with lock(home / LOCK) as locked:
        if not locked:
            page = (home / LOCK).read_text("ascii")
            where = f" Its page is open at {page}." if page else ""
            raise ConfigError(
                f"Another Gander serves from {home}: stop that one, or give this one a folder of its own by GANDER_HOME.{where}"
            )
        note_page(home, "")
        yield folder_name(home)


@contextmanager
def only_on_file(url: str, home: Path) -> Iterator[None]:
    """No other bot, of whatever data folder, serves from the same SQLite file in the block. Raises ConfigError while one does.

    SQLite knows no other bots: each would answer what all were asked. Terminals are no such bots. `url`: as store.url has it.
    """
    file = home / "gander.db" if not url else Path(make_url(url).database or "") if is_sqlite(url) else Path()
    if not file.name:  # another kind of database, or one in memory
        yield
        return
    with lock(file.with_name(f"{file.name}.lock")) as locked:
        if not locked:
            raise ConfigError(f"Another Gander serves from {file}. Several bots need PostgreSQL: name it in store.url, for each of them.")
        yield


def note_page(home: Path, url: str) -> None:
    """Write down the page's address, for whoever starts another bot from this folder."""
    (home / LOCK).write_text(url, "ascii")


def page_served(home: Path) -> str | None:
    """The page of the bot that runs from this folder now. Empty: it has none yet. None: no bot runs."""
    if not home.joinpath(LOCK).is_file():
        return None
    with lock(home / LOCK) as free:
        return None if free else home.joinpath(LOCK).read_text("ascii")


@contextmanager
def one_of_the_terminals(home: Path) -> Iterator[str]:
    """The first terminal name that no process holds. A killed terminal's is free at once, so the next one takes up its question."""
    for number in count(1):
        with lock(home / f"terminal-{number}.lock") as locked:
            if locked:
                yield f"{folder_name(home)}-terminal-{number}"
                return


def folder_name(home: Path) -> str:
    """The name of this data folder among those that share a database, made at random on first use."""
    path = home / "name"
    with creating(path), file_lock(path):
        name = path.read_text("ascii")
        if not name:
            name = secrets.token_hex(4)
            path.write_text(name, "ascii")
        return name


@contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Try to lock a file. Yields whether that worked; the system releases it however the process ends."""
    held = file_lock(path)
    with creating(path), suppress(Timeout):
        held.acquire(blocking=False)
    try:
        yield held.is_locked
    finally:
        held.release()


def file_lock(path: Path) -> FileLock:
    """A lock of the system's on the file itself, whose content stays."""
    return FileLock(path, fallback_to_soft=False)


@contextmanager
def creating(path: Path) -> Iterator[None]:
    """Makes the data folder that the file lies in. Raises ConfigError for a file that can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        remedy = "Make the data folder writable, or name another one by GANDER_HOME."
        raise ConfigError(f"{path} can't be written: {error.strerror}. {remedy}") from error
