"""The database opens at the newest version, keeps its promises under concurrency, and its migrations match its tables."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.errors import ConfigError
from bot.store.database import Database, insert, open_database, sqlite_url
from bot.store.tables import MessageRow, PersonRow, Row


async def test_migrations_make_exactly_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Row.metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_opening_again_keeps_what_is_there(database: Database, database_url: str) -> None:
    async with database.write() as connection:
        await connection.execute(insert(connection, PersonRow).values(key="web:1", name="Ann"))
    again = await open_database(database_url)
    async with again.read() as connection:
        assert await connection.scalar(select(PersonRow.name)) == "Ann"
    await again.close()


async def test_sqlite_is_set_up_for_many_readers_and_a_kill(tmp_path: Path) -> None:
    database = await open_database(sqlite_url(tmp_path / "gander.db"))
    async with database.read() as connection:
        pragmas = [await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "busy_timeout")]
    await database.close()
    assert pragmas == ["wal", 1, 5_000]


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await _write_orphan(database)
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(PersonRow)) == 0


async def _write_orphan(database: Database) -> None:
    orphan = {
        "place": "web:none",
        "conversation": "c",
        "person": "web:1",
        "role": "user",
        "text": "",
        "footer": "",
        "spoiler": False,
        "at": 0.0,
    }
    async with database.write() as connection:
        await connection.execute(insert(connection, PersonRow).values(key="web:1", name="Ann"))
        await connection.execute(insert(connection, MessageRow).values(orphan))


async def test_read_then_write_in_two_processes_never_conflicts(database: Database, database_url: str) -> None:
    """With BEGIN instead of BEGIN IMMEDIATE the second writer's snapshot would be stale, and SQLite would refuse it."""
    second = await open_database(database_url)
    async with database.write() as connection:
        await connection.execute(insert(connection, PersonRow).values(key="web:1", name="0"))

    async def count(store: Database) -> None:
        for _ in range(20):
            async with store.write() as connection:
                name = await connection.scalar(select(PersonRow.name).with_for_update())
                await connection.execute(update(PersonRow).values(name=str(int(name or 0) + 1)))

    await asyncio.gather(count(database), count(second))
    async with database.read() as connection:
        assert await connection.scalar(select(PersonRow.name)) == "40"
    await second.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url"])
async def test_another_database_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        await open_database(url)


async def test_an_error_does_not_repeat_what_people_wrote(database: Database) -> None:
    with pytest.raises(DBAPIError) as raised:
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO nowhere (text) VALUES (:said)"), {"said": "where is my goose?"})
    assert "nowhere" in str(raised.value)
    assert "goose" not in str(raised.value)
