"""What people set, as the database has it, remembered for a moment: one event needs the values and policies of the same homes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from time import monotonic
from types import MappingProxyType
from typing import Final

from bot.message import Value
from bot.store.database import Database
from bot.store.scoped_settings import Home, read_settings

REMEMBERED: Final = 5_000  # homes
NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})


class SettingsCache:
    """Reads the values set in homes. Whoever changes one here calls `forget`; changes by other bots are seen after a while."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[Home, tuple[float, Mapping[str, Value]]] = {}  # when it was read
        self._changes = 0

    async def read(self, homes: Collection[Home], within: float) -> Mapping[Home, Mapping[str, Value]]:
        """The values in each of these homes, read at most `within` seconds ago; what is older is read in one transaction."""
        now, changes = self._clock(), self._changes
        known = {home: self._known[home][1] for home in homes if home in self._known and now - self._known[home][0] < within}
        missing = [home for home in homes if home not in known]
        if not missing:
            return known
        found = await self._database.read(read_settings, missing)
        read = {home: found.get(home, NOTHING) for home in missing}
        if changes == self._changes:  # else this may be what stood there before
            self._remember(now, read)
        return known | read

    def forget(self, home: Home) -> None:
        """A value of it was changed."""
        self._changes += 1
        self._known.pop(home, None)

    def forget_all(self) -> None:
        """Values of many homes were changed."""
        self._changes += 1
        self._known.clear()

    def _remember(self, now: float, read: Mapping[Home, Mapping[str, Value]]) -> None:
        if len(self._known) + len(read) > REMEMBERED:
            self._known.clear()
        self._known.update((home, (now, values)) for home, values in read.items())
