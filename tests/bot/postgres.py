"""A private PostgreSQL server for the tests: a fresh cluster in a temporary folder, reached by its socket alone.

`pytest --database postgresql` runs every test on it: what a test keeps in a SQLite file is kept here instead (`Server.in_place_of`).
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Final

FAST: Final = "-c fsync=off -c full_page_writes=off -c max_connections=200"  # it outlives a kill of its own, not one of the machine


def binaries() -> Path | None:
    """The folder of the newest installed server; None without one, or as root without the user that it must run as."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = folders[-1] if folders else Path(shutil.which("postgres") or "/nowhere/postgres").resolve().parent
    if not (found / "initdb").exists() or (os.geteuid() == 0 and not _has_user("postgres")):
        return None
    return found


@contextmanager
def cluster(programs: Path) -> Iterator[str]:
    """A running server; the folder of its socket. PostgreSQL refuses to run as root: then user postgres owns it."""
    with tempfile.TemporaryDirectory(prefix="gander-postgres-", ignore_cleanup_errors=True) as folder:
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        initialise = [
            str(programs / "initdb"),
            "--pgdata",
            data,
            "--auth",
            "trust",
            "--username",
            "postgres",
            "--no-sync",
            "--encoding",
            "UTF8",
        ]
        subprocess.run(initialise, check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)
        start(programs, folder)
        try:
            yield folder
        finally:
            stop(programs, folder)


def start(programs: Path, folder: str) -> None:
    """Start the server of a cluster, again after it was killed."""
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} {FAST}"
    _control(programs, folder, "start", "--options", options)


def stop(programs: Path, folder: str) -> None:
    _control(programs, folder, "stop", "--mode", "immediate")


def _control(programs: Path, folder: str, *command: str) -> None:
    user = "postgres" if os.geteuid() == 0 else None
    control = [str(programs / "pg_ctl"), "--pgdata", f"{folder}/data", "--wait", "--log", f"{folder}/log"]
    subprocess.run([*control, *command], check=True, user=user, stdout=subprocess.DEVNULL, cwd=folder)


def create_database(programs: Path, socket: str, name: str) -> str:
    """A new, empty database; its URL."""
    subprocess.run([programs / "createdb", "--host", socket, "--username", "postgres", name], check=True)
    return _url(socket, name)


class Server:
    """A running cluster, and databases on it. A copy of one that was migrated once is there in a tenth of the time of a new one."""

    def __init__(self, programs: Path, socket: str) -> None:
        self._programs = programs
        self._socket = socket
        self._template = ""
        self._making = Lock()
        self._files: dict[Path, str] = {}  # databases in the place of SQLite files

    def empty(self) -> str:
        """A new database without tables; its URL."""
        return create_database(self._programs, self._socket, _new_name())

    def copy(self) -> str:
        """A new database with today's tables; its URL."""
        with self._making:
            if not self._template:
                url = self.empty()
                migrating = Thread(target=lambda: asyncio.run(_migrate(url)))  # there may be an event loop in this one
                migrating.start()
                migrating.join()
                self._template = _name_in(url)
        name = _new_name()
        self.sql(f"CREATE DATABASE {name} TEMPLATE {self._template} STRATEGY FILE_COPY")
        return _url(self._socket, name)

    def drop(self, url: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {_name_in(url)} WITH (FORCE)")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql answers to a statement."""
        command = [str(self._programs / "psql"), "--host", self._socket, "--username", "postgres", "--no-psqlrc", "--quiet", "-At"]
        done = subprocess.run([*command, "--command", statement, database], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def ask(self, url: str, statement: str) -> str:
        """What a statement answers in a database."""
        return self.sql(statement, _name_in(url))

    def in_place_of(self, file: Path) -> str:
        """The database that is used in the place of a SQLite file: the same for the same file."""
        if file not in self._files:
            self._files[file] = self.copy()
        return self._files[file]

    def query(self, file: Path, statement: str) -> str:
        """What a statement answers in the place of a SQLite file."""
        return self.ask(self._files[file], statement)

    def drop_below(self, folder: Path) -> None:
        """A test is over: what stood in the place of its files goes."""
        for file in [each for each in self._files if each.is_relative_to(folder)]:
            self.drop(self._files.pop(file))


INSTEAD: Server | None = None  # in the place of SQLite: set by `pytest --database postgresql`


def column(file: Path, statement: str) -> list[str]:
    """The first column of what a statement answers in a bot's database: in its SQLite file, or in what stands in its place."""
    if INSTEAD is not None:
        return INSTEAD.query(file, statement).splitlines()
    with closing(sqlite3.connect(file)) as database:
        return [str(value) for value, *_ in database.execute(statement)]


async def _migrate(url: str) -> None:
    from bot.store.database import open_database

    await (await open_database(url)).close()


def _new_name() -> str:
    return f"test_{secrets.token_hex(6)}"


def _url(socket: str, name: str) -> str:
    return f"postgresql://postgres@/{name}?host={socket}"


def _name_in(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())
