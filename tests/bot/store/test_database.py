"""The database opens at the newest version, keeps its promises under concurrency, and its migrations match its tables."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.errors import ConfigError
from bot.store import graph
from bot.store.database import CHECKPOINT_WRITES, Database, insert, open_database, sqlite_url
from bot.store.graph import NewMessage
from bot.store.tables import PersonRow, Row


async def test_migrations_make_exactly_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Row.metadata))

    assert await database.read(differences) == []


def add_person(connection: Connection, name: str, key: str = "web:1") -> None:
    connection.execute(insert(connection.dialect.name, PersonRow).values(key=key, name=name))


def name_of_person(connection: Connection) -> str | None:
    return connection.scalar(select(PersonRow.name))


async def test_opening_again_keeps_what_is_there(database: Database, database_url: str) -> None:
    await database.write(add_person, "Ann")
    again = await open_database(database_url)
    assert await again.read(name_of_person) == "Ann"
    await again.close()


@pytest.mark.sqlite
async def test_sqlite_is_set_up_for_many_readers_and_a_kill(tmp_path: Path) -> None:
    def pragmas(connection: Connection) -> list[object]:
        return [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "busy_timeout")]

    database = await open_database(sqlite_url(tmp_path / "gander.db"))
    assert await database.read(pragmas) == ["wal", 1, 5_000]
    await database.close()


@pytest.mark.sqlite
async def test_what_is_written_reaches_sqlites_own_file_meanwhile(tmp_path: Path) -> None:
    database, file = await open_database(sqlite_url(tmp_path / "gander.db")), tmp_path / "gander.db"
    before = file.stat().st_size
    for number in range(CHECKPOINT_WRITES):
        await database.write(add_person, "A" * 1_000, f"web:{number}")
    async with asyncio.timeout(90):
        while file.stat().st_size < before + 1_000 * (CHECKPOINT_WRITES - 1):  # noqa: ASYNC110 - a thread does it
            await asyncio.sleep(0.01)
    await database.close()


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def write_orphan(connection: Connection) -> None:
        add_person(connection, "Ann")
        graph.add(connection, NewMessage("web:nowhere", None, None, "c", "web:1", "user", "", at=0.0))

    with pytest.raises(IntegrityError):
        await database.write(write_orphan)
    assert await database.read(name_of_person) is None


async def test_read_then_write_in_two_processes_never_conflicts(database: Database, database_url: str) -> None:
    """With BEGIN instead of BEGIN IMMEDIATE the second writer's snapshot would be stale, and SQLite would refuse it."""

    def count(connection: Connection) -> None:
        name = connection.scalar(select(PersonRow.name).with_for_update())
        connection.execute(update(PersonRow).values(name=str(int(name or 0) + 1)))

    second = await open_database(database_url)
    await database.write(add_person, "0")
    await asyncio.gather(*(store.write(count) for store in (database, second) for _ in range(20)))
    assert await database.read(name_of_person) == "40"
    await second.close()


async def test_a_newer_gander_s_database_is_refused_with_the_remedy(database: Database, database_url: str) -> None:
    await database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(ConfigError, match=r"a newer Gander: start that one, or restore a backup"):
        await open_database(database_url)


@pytest.mark.sqlite
async def test_a_file_that_is_no_database_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "gander.db").write_text("I am no database. " * 100)
    with pytest.raises(ConfigError, match=r"not a database\. Restore a backup"):
        await open_database(sqlite_url(tmp_path / "gander.db"))


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url"])
async def test_another_database_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match=r"store\.url"):
        await open_database(url)


async def test_an_error_does_not_repeat_what_people_wrote(database: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO nowhere (text) VALUES (:said)"), {"said": "where is my goose?"})

    with pytest.raises(DBAPIError) as raised:
        await database.write(work)
    assert "nowhere" in str(raised.value)
    assert "goose" not in str(raised.value)


@pytest.mark.sqlite
async def test_a_log_that_another_program_reads_is_emptied_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing that is written meanwhile waits for it."""
    monkeypatch.setattr("bot.store.database.BUSY_MILLISECONDS", 50)
    file = tmp_path / "gander.db"
    database = await open_database(sqlite_url(file))
    await database.write(add_person, "Ann")
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT name FROM person").fetchall()
        await database.write(add_person, "Ben", "web:2")
        with structlog.testing.capture_logs() as lines:
            await database.purge()
        assert [line["event"] for line in lines] == ["deleted_text_in_log"]
        await database.write(add_person, "Cy", "web:3")
    await database.purge()
    assert file.with_name("gander.db-wal").stat().st_size == 0
    await database.close()
