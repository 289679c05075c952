"""What one bot alone may do of those that share a database, such as polling Telegram: whoever has the duty's lock.

The lock is PostgreSQL's own (advisory, of a session). A killed process's goes with its connection, at once; that of a machine that vanished
when the server misses it, after KEEP_ALIVE. SQLite's one bot is guarded by its data folder (adapters/process_names.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from hashlib import sha256
from typing import Final, NoReturn

import structlog
from sqlalchemy import URL, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from bot.background import beside
from bot.errors import DutyLost
from bot.store.database import is_sqlite
from bot.store.retrying import reason

TRY_SECONDS: Final = 1.0  # between two tries to take a duty over
LOOK_SECONDS: Final = 2.0  # between two looks whether it is still ours …
PATIENCE_SECONDS: Final = 5.0  # … each of which may take so long
# In all 11 s, of a holder whose machine lost its power or its network.
KEEP_ALIVE: Final = {"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3"}

log = structlog.get_logger(__name__)


class Duties:
    """The duties of the bots on one database. `url`: as store.url takes it."""

    def __init__(self, url: str) -> None:
        self._url = None if is_sqlite(url) else make_url(url).set(drivername="postgresql+asyncpg")

    @asynccontextmanager
    async def holding(self, duty: str) -> AsyncIterator[None]:
        """Wait until no other bot has this duty, then have it in the block. When another bot takes it over after all, the block is
        cancelled, and this raises DutyLost."""
        if self._url is None:
            yield
            return
        lock = DutyLock(self._url, duty)
        try:
            await _take(lock)
            async with beside(_watch(lock)):
                yield
        finally:
            await lock.release()

    @asynccontextmanager
    async def collecting(self, duties: Collection[str]) -> AsyncIterator[Collected]:
        """Have those of these duties in the block that no other bot has, and each other one as soon as it is free. Raises DutyLost."""
        collected = Collected(len(duties))
        async with AsyncExitStack() as stack:
            for duty in duties:
                await stack.enter_async_context(beside(self._collect(duty, collected)))
            yield collected

    async def _collect(self, duty: str, collected: Collected) -> None:
        async with self.holding(duty):
            collected.add(duty)
            await asyncio.Event().wait()  # until it is cancelled


class MoreDuties(Exception):
    """A bot got a duty in addition to those that it has."""


class Collected:
    """Those of some duties that a bot has by now, of `wanted` in all. It loses none of them as long as it lives."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._held: list[str] = []
        self._more = asyncio.Event()

    def add(self, duty: str) -> None:
        self._held.append(duty)
        self._more.set()

    async def settled(self) -> list[str]:
        """Those that it has, once it has one and gets no other any more for now: what one dead bot had comes one by one."""
        await self._more.wait()
        with suppress(TimeoutError):
            while len(self._held) < self._wanted:
                self._more.clear()
                async with asyncio.timeout(TRY_SECONDS * 1.5):
                    await self._more.wait()
        self._more.clear()
        return self._held.copy()

    async def until_more(self) -> NoReturn:
        """Raises MoreDuties when there are more than `settled` last said."""
        await self._more.wait()
        raise MoreDuties


class DutyLock:
    """The lock of one duty, and the connection that has it or tries to."""

    def __init__(self, url: URL, duty: str) -> None:
        self.duty = duty
        self._key = int.from_bytes(sha256(f"gander {duty}".encode()).digest()[:8], signed=True)
        options = {"server_settings": KEEP_ALIVE, "timeout": PATIENCE_SECONDS}
        self._engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=options)
        self._connection: AsyncConnection | None = None
        self._mine = False

    async def is_mine(self) -> bool:
        """Whether this bot has the lock, taken just now if nobody had it. Raises DBAPIError, OSError while the database can't tell."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            if self._connection is None:
                self._connection = await self._engine.connect()
            if self._mine:
                await self._connection.scalar(text("SELECT 1"))
            else:
                self._mine = bool(await self._connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}))
        return self._mine

    async def release(self) -> None:
        """Close the connection. A server that does not hear of it notices by itself."""
        connection, self._connection, self._mine = self._connection, None, False
        if connection is not None:
            with suppress(DBAPIError, OSError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await connection.close()


async def _take(lock: DutyLock) -> None:
    """Return when the lock is ours. A database that is away is waited for."""
    told = ""
    while True:
        try:
            if await lock.is_mine():
                log.info("on_duty", duty=lock.duty)
                return
            why = "another bot on this database does it: this one goes on when that is gone"
        except (DBAPIError, OSError) as error:
            await lock.release()
            why = reason(error)
        if told != (told := why):
            log.info("standing_by", duty=lock.duty, reason=why)
        await asyncio.sleep(TRY_SECONDS)


async def _watch(lock: DutyLock) -> NoReturn:
    """Keep the lock. Raises DutyLost once another bot has it.

    While the database can't be asked the duty goes on: nothing that it brings can be stored before the database is back, and then the lock
    is asked for again. What reached both bots in between is stored once, as everything that a platform offers twice.
    """
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            mine = await lock.is_mine()
        except (DBAPIError, OSError):
            await lock.release()
            continue
        if not mine:
            raise DutyLost(f"another bot on this database took over: {lock.duty}")
