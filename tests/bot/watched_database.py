"""A database that notes its transactions, to count them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from bot.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")

UPKEEP = {
    "renew",
    "loads",
    "running",
    "take_over",
    "prune_stalled_workers",
    "all_waiting",
    "waiting_for",
    "finish_jobs",
    "_carry_out",
}  # every few seconds


class WatchedDatabase:
    """Another database, and the names of its transactions, without those of the bot's upkeep."""

    def __init__(self, database: Database, seen: list[str]) -> None:
        self._database = database
        self._seen = seen

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._note(work.__name__)
        return await self._database.read(work, *args, **kwargs)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._note(work.__name__)
        return await self._database.write(work, *args, **kwargs)

    async def purge(self) -> None:
        await self._database.purge()

    async def close(self) -> None:
        await self._database.close()

    def _note(self, name: str) -> None:
        if name not in UPKEEP:
            self._seen.append(name)
