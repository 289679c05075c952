"""Stores a platform's updates before they are handled: a slow or unreadable one holds up none behind it, and a kill loses none."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

from bot.store import updates
from bot.store.database import Database
from bot.store.updates import Kept


class UpdateInbox:
    """The updates of one owner: of a bot on the database, or of an account that one of several bots serves at a time (`of_account`)."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def of_account(self, platform: str, account: str) -> UpdateInbox:
        """The account's, whichever bot serves it: one that takes over goes on with what the last one left. What this bot kept by its own
        name, as older versions did, goes there."""
        owner = f"{platform}:{account}"
        await self._database.write(updates.hand_on, platform, self._owner, owner)
        return UpdateInbox(self._database, owner)

    async def keep(self, platform: str, number: int, update: Mapping[str, Any], fault: str = "") -> None:
        """Store an update: afterwards it may be confirmed to the platform. `fault`: why it can't be read; it stays for the operator."""
        await self._database.write(updates.keep, platform, self._owner, number, update, fault, time())

    async def release(self, platform: str, number: int) -> None:
        """Delete an update: it was handled."""
        await self._database.write(updates.release, platform, self._owner, number)

    async def pending(self, platform: str) -> tuple[Kept, ...]:
        """The updates that are not handled yet, oldest first."""
        return await self._database.read(updates.pending, platform, self._owner)

    async def unreadable(self) -> Mapping[str, int]:
        """How many updates could not be read, by platform."""
        return await self._database.read(updates.unreadable)
