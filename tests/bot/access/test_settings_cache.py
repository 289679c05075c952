"""One transaction for all that an event needs, and nothing that was changed here is ever old."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from bot.access.settings_cache import SettingsCache
from bot.store.database import Database
from bot.store.scoped_settings import Home, Scope, write_setting
from tests.bot.watched_database import WatchedDatabase

P = ParamSpec("P")
T = TypeVar("T")

ANN: Home = (Scope.PERSON, "web:ann")
ROOM: Home = (Scope.CHANNEL, "web:room")


async def beams(database: Database, home: Home, value: int) -> None:
    await database.write(write_setting, home, "beams", value, set_by="web:ann", at=0.0)


async def test_homes_are_read_at_once_and_again_when_they_are_old(database: Database) -> None:
    seen: list[str] = []
    now = 100.0
    cache = SettingsCache(WatchedDatabase(database, seen), lambda: now)
    await beams(database, ANN, 2)
    assert await cache.read([ANN, ROOM], 5.0) == {ANN: {"beams": 2}, ROOM: {}}
    await beams(database, ANN, 3)  # by another bot
    assert await cache.read([ROOM, ANN], 5.0) == {ANN: {"beams": 2}, ROOM: {}}
    assert len(seen) == 1
    now += 1.0
    assert (await cache.read([ANN], 0.5))[ANN] == {"beams": 3}
    assert len(seen) == 2


async def test_a_change_here_is_seen_at_once(database: Database) -> None:
    cache = SettingsCache(database)
    changes: tuple[Callable[[], None], ...] = (partial(cache.forget, ANN), cache.forget_all)
    for change in changes:
        await beams(database, ANN, 2)
        await cache.read([ANN], 60.0)
        await beams(database, ANN, 3)
        change()
        assert (await cache.read([ANN], 60.0))[ANN] == {"beams": 3}
        cache.forget_all()


class Interrupted(WatchedDatabase):
    """Something is changed while it is read."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        found = await super().read(work, *args, **kwargs)
        self.meanwhile()
        return found


async def test_what_was_changed_while_it_was_read_is_read_again(database: Database) -> None:
    seen: list[str] = []
    interrupted = Interrupted(database, seen)
    cache = SettingsCache(interrupted)
    interrupted.meanwhile = lambda: cache.forget(ANN)
    await cache.read([ANN], 60.0)
    await cache.read([ANN], 60.0)
    assert len(seen) == 2
