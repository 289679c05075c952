"""Opens the database and runs transactions on it, the same on SQLite and on PostgreSQL.

A transaction is a function that takes a connection. For SQLite the whole function runs in a thread: one switch of threads
a transaction, where a driver that switches for every statement needs forty for a question. For PostgreSQL it runs on the
asyncio driver. What a function returns must not need the connection any more.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import structlog
from sqlalchemy import URL, Connection, Double, Engine, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from bot.errors import ConfigError
from bot.store.migrate import upgrade
from bot.store.retrying import PAUSE_SECONDS, RetryingDatabase, damaged, may_pass, passes_soon, reason
from bot.store.sqlite_file import DatabaseFile
from bot.store.tables import Row

BUSY_MILLISECONDS = 5_000
START_SECONDS = 60.0  # that a start waits for a database which is busy, full, or starting itself
READERS = 2  # threads
CHECKPOINT_WRITES = 100  # between two checkpoints, about as often as SQLite makes them by itself
OVERDUE_PAGES = 10_000  # of the write-ahead log, 40 MB: then SQLite checkpoints within a write after all

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Runs transactions on one database. Those that write run one after the other within this process."""

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(connection, …)` on one consistent view of the database; what it returns."""
        ...

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a transaction: committed when it returns, rolled back when it raises. It may run several times."""
        ...

    async def purge(self) -> None:
        """Make what was deleted unreadable in the files, too, as far as they are ours. What fails is logged, and left for later."""
        ...

    async def close(self) -> None: ...


class SqliteDatabase:
    """SQLite in threads: one for writing, since SQLite has one writer at a time, and READERS for reading."""

    def __init__(self, url: URL) -> None:
        # Errors name the statement but not its values, which are what people wrote.
        self._reading = create_engine(url, hide_parameters=True)
        event.listen(self._reading, "connect", _prepare)
        event.listen(self._reading, "begin", _begin)
        self._writing = self._reading.execution_options(writes=True)
        self._readers = ThreadPoolExecutor(READERS, "gander-read")
        self._writer = ThreadPoolExecutor(1, "gander-write")
        self._written = 0  # transactions
        self._file = DatabaseFile(Path(url.database or ""))
        event.listen(self._reading, "do_connect", self._file.check_not_deleted)

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await _in_thread(self._readers, self._reading, lambda connection: work(connection, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        done = await _in_thread(self._writer, self._writing, lambda connection: work(connection, *args, **kwargs), self._keep_file)
        self._written += 1
        if self._written % CHECKPOINT_WRITES == 0:
            self._readers.submit(self._checkpoint).add_done_callback(_report)
        return done

    def _keep_file(self) -> None:
        """Before each write: write the file back if somebody deleted it. Raises OSError where that can't be done."""
        if self._file.missing():
            with closing(self._reading.raw_connection()) as connection:
                self._file.restore(cast(sqlite3.Connection, connection.driver_connection))
            self._reading.dispose()  # its connections have the deleted file

    def _checkpoint(self) -> None:
        """Move the write-ahead log into the database's own file. This waits for the disk, so it runs outside of transactions."""
        with closing(self._reading.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

    async def purge(self) -> None:
        """Deleted rows were overwritten in the pages (secure_delete); here the log of writes is emptied, which holds earlier pages."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._empty_log)

    def _empty_log(self) -> None:
        try:
            self._keep_file()
            with closing(self._reading.raw_connection()) as connection:
                busy, *_ = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            why = "another program uses the database" if busy else ""
        except (sqlite3.Error, DBAPIError, OSError) as error:
            why = str(error)
        if why:
            log.warning("deleted_text_in_log", reason=why, remedy="it goes with the next sweep, within an hour")

    async def close(self) -> None:
        for executor in (self._writer, self._readers):  # in this order: the last write may start a checkpoint in a reader
            await asyncio.to_thread(executor.shutdown)
        self._reading.dispose()


def _report(checkpoint: Future[None]) -> None:
    """Log a checkpoint that failed: nothing is lost, since the next one moves all of it, but the operator has to see to the disk."""
    if error := checkpoint.exception():
        log.warning("checkpoint_failed", reason=str(error))


class PostgresDatabase:
    """PostgreSQL by asyncpg."""

    def __init__(self, url: URL) -> None:
        self._engine = create_async_engine(url, hide_parameters=True)
        self._turn = asyncio.Lock()

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(work, *args, **kwargs)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._turn, self._engine.begin() as connection:
            return await connection.run_sync(work, *args, **kwargs)

    async def purge(self) -> None:
        """PostgreSQL's own VACUUM does this, and its log is the server's."""

    async def close(self) -> None:
        await self._engine.dispose()


class DatabaseTime(FunctionElement[float]):
    """The database's own clock, in Unix seconds: all bots on one database agree on it, however their machines' clocks differ."""

    type = Double()
    inherit_cache = True


@compiles(DatabaseTime, "sqlite")
def _sqlite_time(element: DatabaseTime, compiler: SQLCompiler, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseTime, "postgresql")
def _postgresql_time(element: DatabaseTime, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"


def insert(dialect: str, table: type[Row]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that takes `on_conflict_do_…`. `dialect`: the connection's `dialect.name`."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


async def open_database(url: str) -> Database:
    """Connect, and bring the tables up to date. `url`: `sqlite:///path`, or `postgresql://user:password@host/name`.

    A server that starts just now is waited for, START_SECONDS at most. Raises ConfigError where it can't be reached or written, or belongs
    to a newer Gander. Once it is open, unreachability is waited for.
    """
    database = connect(url)
    try:
        await _upgrade_soon(database)
    except ConfigError:
        await database.close()
        raise
    except (DBAPIError, OSError) as error:
        await database.close()
        if damaged(error):
            raise ConfigError(f"The database can't be used: {reason(error)}. Restore a backup, or move it away to begin anew.") from error
        if not may_pass(error):
            raise
        raise ConfigError(f"The database can't be opened: {reason(error)}. Look at store.url, or at the data folder's disk.") from error
    return RetryingDatabase(database)


async def _upgrade_soon(database: Database) -> None:
    until, told = monotonic() + START_SECONDS, False
    while True:
        try:
            await database.write(upgrade)
        except (DBAPIError, OSError) as error:
            if not passes_soon(error) or monotonic() > until:
                raise
            if not told:
                log.warning("database_not_ready", reason=reason(error), waiting_seconds=START_SECONDS)
            told = True
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def connect(url: str) -> Database:
    """The database as it is, whatever its tables: for who looks after it. Raises ConfigError for a URL that names none."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("store.url is not a database URL: write sqlite:///path or postgresql://user@host/name") from error
    match parsed.get_backend_name():
        case "sqlite":
            return SqliteDatabase(parsed.set(drivername="sqlite"))
        case "postgresql" | "postgres":
            return PostgresDatabase(parsed.set(drivername="postgresql+asyncpg"))
        case other:
            raise ConfigError(f"store.url names {other}: Gander keeps its data in sqlite or postgresql")


async def _in_thread(executor: Executor, engine: Engine, work: Callable[[Connection], T], before: Callable[[], None] = lambda: None) -> T:
    def transaction() -> T:
        before()
        with engine.begin() as connection:
            return work(connection)

    return await asyncio.get_running_loop().run_in_executor(executor, transaction)


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # With the driver's own transactions off, ours begin where we say (_begin).
    connection.isolation_level = None
    cursor = connection.cursor()
    # NORMAL: a kill loses nothing; a power cut may lose the last moments, and never the file.
    for pragma in (
        "journal_mode = WAL",
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "foreign_keys = ON",
        "secure_delete = ON",  # what is deleted is overwritten
        "synchronous = NORMAL",
        f"wal_autocheckpoint = {OVERDUE_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A write that began as a read can't be upgraded once another process has written: it begins as a write.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")
