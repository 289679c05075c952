"""Repeats a transaction while the database can't be used: locked by a backup, on a full disk, on a server that restarts.

Whatever needed it continues afterwards: nothing is lost, and nobody has to restart the bot.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.store.sqlite_file import FileReplaced

if TYPE_CHECKING:
    from bot.store.database import Database

PAUSE_SECONDS: Final = 1.0  # between two attempts
SQLITE_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    }
)
SQLITE_SOON: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
POSTGRES_SOON: Final = ("08", "40", "53", "57")
# PostgreSQL's classes: connections, who may connect, no such database, conflicts between bots, resources, the operator, the system.
POSTGRES_PASSING: Final = ("08", "28", "3D", "40", "53", "57", "58", "25006")

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)


class RetryingDatabase:
    """Another database, whose transactions are repeated while they fail for a reason that may pass. Logged at the start and at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()  # of writes: one that is repeated is not overtaken, or a question would be stored before an earlier one
        self._troubled: set[str] = set()  # reading, writing, or both: on a full disk one goes on without the other

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._persist("read", partial(self._database.read, work, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._turn:
            return await self._persist("write", partial(self._database.write, work, *args, **kwargs))

    async def purge(self) -> None:
        await self._database.purge()

    async def close(self) -> None:
        await self._database.close()

    async def _persist(self, kind: str, attempt: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                done = await attempt()
            except (DBAPIError, OSError) as error:
                if not may_pass(error):
                    raise
                self._tell(kind, error)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                if kind in self._troubled:
                    self._troubled.discard(kind)
                    log.info("database_available", to=kind)
                return done

    def _tell(self, kind: str, error: DBAPIError | OSError) -> None:
        """Log it once, however many transactions wait."""
        if kind not in self._troubled:
            self._troubled.add(kind)
            remedy = "nothing is lost: it goes on by itself once this is mended"
            log.error("database_unavailable", to=kind, reason=reason(error), remedy=remedy)


def may_pass(error: DBAPIError | OSError) -> bool:
    """Whether the same transaction may succeed in a while, or once the operator has mended something."""
    if isinstance(error, OSError):  # no connection
        return True
    sqlite_code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # without what extends it
    postgres_state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or sqlite_code in SQLITE_PASSING or postgres_state.startswith(POSTGRES_PASSING)


def passes_soon(error: DBAPIError | OSError) -> bool:
    """Whether it is so of a database that is busy, on a full disk, or about to start: not of one that is named wrongly, or forbidden."""
    if isinstance(error, OSError):
        return not isinstance(error, FileReplaced)
    sqlite_code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    return sqlite_code in SQLITE_SOON or (getattr(error.orig, "sqlstate", None) or "").startswith(POSTGRES_SOON)


def damaged(error: DBAPIError | OSError) -> bool:
    """Whether the file is no SQLite database, or a broken one."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def reason(error: DBAPIError | OSError) -> str:
    """The driver's own words, without the statement and its values."""
    return str(error.orig if isinstance(error, DBAPIError) else error)
