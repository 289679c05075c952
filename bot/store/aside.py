"""Keeps updates aside, so that one that takes long or can't be read holds up none behind it, and a kill loses none."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

from bot.store import updates
from bot.store.database import Database
from bot.store.updates import Kept


class Aside:
    """One bot's. `owner` tells it from others on the same database, and outlasts a restart."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def keep(self, platform: str, number: int, update: Mapping[str, Any], fault: str = "") -> None:
        """Afterwards it may be confirmed. `fault`: why it can't be read; it stays for somebody to look at."""
        await self._database.write(updates.keep, platform, self._owner, number, update, fault, time())

    async def release(self, platform: str, number: int) -> None:
        """It is dealt with."""
        await self._database.write(updates.release, platform, self._owner, number)

    async def pending(self, platform: str) -> tuple[Kept, ...]:
        """What is still to be dealt with, oldest first."""
        return await self._database.read(updates.pending, platform, self._owner)

    async def unreadable(self) -> Mapping[str, int]:
        """How many are kept that nobody could read, by platform."""
        return await self._database.read(updates.unreadable)
