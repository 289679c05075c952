"""Values are kept for each person, channel and server by itself."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from bot.errors import Refusal
from bot.message import Value
from bot.store.database import Database
from bot.store.scoped_settings import Home, Scope, change_setting, clear_setting, read_settings, write_setting

ANNS: Home = (Scope.PERSON, "web:ann")
GARDEN: Home = (Scope.CHANNEL, "web:garden")


async def test_a_value_is_read_where_it_was_set_and_deleted_once(database: Database) -> None:
    def work(connection: Connection) -> None:
        write_setting(connection, ANNS, "beams", 3, set_by="web:ann", at=1.0)
        write_setting(connection, GARDEN, "beams", 5, set_by="web:ann", at=1.0)
        write_setting(connection, GARDEN, "beams", 2, set_by="web:ben", at=2.0)
        assert read_settings(connection, [ANNS, GARDEN]) == {ANNS: {"beams": 3}, GARDEN: {"beams": 2}}
        assert clear_setting(connection, ANNS, "beams")
        assert not clear_setting(connection, ANNS, "beams")
        assert read_settings(connection, [ANNS]) == {}

    await database.write(work)


async def test_a_change_starts_from_what_is_there_and_changes_nothing_where_it_is_refused(database: Database) -> None:
    def add(stored: Value | None) -> Value:
        return f"{stored or ''}+"

    def refuse(stored: Value | None) -> Value:
        raise Refusal("settings.unknown")

    for expected in ("+", "++"):
        assert await database.write(change_setting, GARDEN, "rules", add, set_by="web:ann", at=1.0) == expected
    with pytest.raises(Refusal):
        await database.write(change_setting, GARDEN, "rules", refuse, set_by="web:ann", at=2.0)
    assert await database.read(read_settings, [GARDEN]) == {GARDEN: {"rules": "++"}}
