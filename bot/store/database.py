"""The database, opened: one way to read and one way to write, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bot.errors import ConfigError
from bot.store.migrate import upgrade
from bot.store.tables import Row

BUSY_MILLISECONDS = 5_000
DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


class Database:
    """Transactions on one database. Writes of this process take turns: waiting on a lock is cheaper than SQLite's polling."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view."""
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on an error."""
        async with self._turn, self._writer.begin() as connection:
            yield connection

    async def close(self) -> None:
        await self._engine.dispose()


def insert(connection: AsyncConnection, table: type[Row]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what to do on a conflict, in the dialect of the connection."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


async def open_database(url: str) -> Database:
    """Connect, and bring the tables up to date. `url`: `sqlite:///path`, or `postgresql://user:password@host/name`."""
    engine = _connect(url)
    async with engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(upgrade)
    return Database(engine)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _connect(url: str) -> AsyncEngine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("store.url is not a database URL: write sqlite:///path or postgresql://user@host/name") from error
    driver = DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ConfigError(f"store.url names {parsed.get_backend_name()}: Gander keeps its data in sqlite or postgresql")
    # An error names its statement and not its values: those are what people wrote.
    engine = create_async_engine(parsed.set(drivername=driver), hide_parameters=True)
    if driver.startswith("sqlite"):
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # With the driver's own transactions off, ours begin where we say (_begin_sqlite).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", f"busy_timeout = {BUSY_MILLISECONDS}", "foreign_keys = ON", "synchronous = NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options: dict[str, Any] = dict(connection.get_execution_options())
    # A write that began as a read can't be upgraded once another process has written: it begins as a write.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
