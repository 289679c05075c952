"""The databases of a crash test: what can be done to one from outside, and what is asked of it in the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psutil  # type: ignore[import-untyped]  # ships no types

from tests.adapters.strict.program import OWED
from tests.bot import postgres

REPEATS = "SELECT coalesce(sum(repeats), 0) FROM delivery"


class Store(ABC):
    """`url`: as store.url takes it; empty: the data folder's own."""

    name: str
    url: str = ""
    has_server = False

    @abstractmethod
    def locked(self) -> AbstractAsyncContextManager[None]:
        """A block in which another process holds the tables."""

    @abstractmethod
    async def query(self, statement: str) -> int | str:
        """The one value that a statement gives."""

    async def kill(self) -> None:  # noqa: B027 - most have none
        """End its server at once and start it again."""

    async def owed(self) -> int:
        """Jobs and replies that are not done."""
        return int(await self.query(OWED))

    async def intact(self) -> bool:
        return True


class Sqlite(Store):
    """A file that the bot alone opens."""

    name = "SQLite"

    def __init__(self, home: Path) -> None:
        self._file = home / "gander.db"

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        with closing(sqlite3.connect(self._file, timeout=20, isolation_level=None)) as other:
            with suppress(sqlite3.OperationalError):  # it does not exist yet, or is busy
                other.execute("BEGIN EXCLUSIVE")
            yield

    async def query(self, statement: str) -> int | str:
        with closing(sqlite3.connect(self._file)) as database:
            found: int | str = database.execute(statement).fetchone()[0]
            return found

    async def intact(self) -> bool:
        return await self.query("PRAGMA integrity_check") == "ok"


class Postgres(Store):
    """A cluster of its own in `folder`."""

    name = "PostgreSQL"
    has_server = True

    def __init__(self, programs: Path, folder: str, database: str) -> None:
        self._programs, self._folder = programs, folder
        self.url = postgres.create_database(programs, folder, database)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        other = await self._connect()
        try:
            async with other.transaction():
                await other.execute("LOCK TABLE job, message, event IN ACCESS EXCLUSIVE MODE")
                yield
        finally:
            await other.close()

    async def query(self, statement: str) -> int | str:
        connection = await self._connect()
        try:
            found: int | str = await connection.fetchval(statement)
            return found
        finally:
            await connection.close()

    async def kill(self) -> None:
        head = psutil.Process(int((Path(self._folder) / "data" / "postmaster.pid").read_text().split()[0]))
        all_of_it = [head, *head.children(recursive=True)]
        for process in all_of_it:
            with suppress(psutil.NoSuchProcess):
                os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(psutil.wait_procs, all_of_it, 10)
        await asyncio.to_thread(postgres.start, self._programs, self._folder)

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(user="postgres", host=self._folder, database=self.url.partition("@/")[2].partition("?")[0])
