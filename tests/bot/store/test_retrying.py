"""Troubles that pass are waited for: a lock, a full disk, a server that went away. Others are raised at once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from bot.errors import ConfigError
from bot.store import database, retrying
from bot.store.database import open_database, sqlite_url
from tests.bot import postgres


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 10)


def add_person(connection: Connection, name: str = "Ann") -> None:
    connection.execute(text("INSERT INTO person (key, name) VALUES (:key, :name)"), {"key": name, "name": name})


def count_people(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT count(*) FROM person")) or 0)


@pytest.mark.sqlite
async def test_a_lock_is_waited_for_and_told_once(tmp_path: Path) -> None:
    store = await open_database(sqlite_url(tmp_path / "gander.db"))
    backup = sqlite3.connect(tmp_path / "gander.db", isolation_level=None)
    backup.execute("BEGIN EXCLUSIVE")
    with capture_logs() as logged:
        writing = asyncio.gather(*(store.write(add_person, name) for name in ("Ann", "Ben")))
        async with asyncio.timeout(90):
            while not logged:  # noqa: ASYNC110  # another thread decides
                await asyncio.sleep(0.005)
        assert await store.read(count_people) == 0  # that goes on
        assert not writing.done()
        backup.execute("COMMIT")
        await writing
    assert [entry["event"] for entry in logged] == ["database_unavailable", "database_available"]
    assert "locked" in logged[0]["reason"]
    assert await store.read(count_people) == 2
    backup.close()
    await store.close()


@pytest.mark.sqlite
async def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    store = await open_database(sqlite_url(tmp_path / "gander.db"))
    pages = await store.write(lambda connection: int(connection.scalar(text("PRAGMA page_count")) or 0))

    def bound(connection: Connection, most: int) -> None:
        connection.execute(text(f"PRAGMA max_page_count = {most}"))

    await store.write(bound, pages)
    with capture_logs() as logged:
        writing = asyncio.create_task(store.write(add_person, "Ann" * 10_000))
        async with asyncio.timeout(90):
            while not logged:  # noqa: ASYNC110  # another thread decides
                await asyncio.sleep(0.005)
        assert isinstance(store, retrying.RetryingDatabase)
        await store._database.write(bound, 1_000_000)  # past the one that waits
        await writing
    assert "full" in logged[0]["reason"]
    assert await store.read(count_people) == 1
    await store.close()


async def test_a_write_that_is_repeated_is_not_overtaken() -> None:
    class Stumbling:
        """Fails the first of all writes a few times, as a server does that restarts."""

        def __init__(self) -> None:
            self.done: list[str] = []
            self.failures = 3

        async def write(self, work: Callable[..., str], name: str) -> str:
            await asyncio.sleep(0)
            if name == "first" and self.failures:
                self.failures -= 1
                raise ConnectionRefusedError("it starts")
            self.done.append(name)
            return name

    stumbling = Stumbling()
    store = retrying.RetryingDatabase(stumbling)  # type: ignore[arg-type]
    await asyncio.gather(*(store.write(lambda _, name: name, each) for each in ("first", "second", "third")))
    assert stumbling.done == ["first", "second", "third"]


async def test_connections_that_broke_are_made_anew(postgres_url: str) -> None:
    store, other = await open_database(postgres_url), await open_database(postgres_url)
    await store.read(count_people)
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    await other.write(lambda connection: connection.execute(text(end)).close())
    await store.write(add_person)
    assert await store.read(count_people) == 1
    for each in (store, other):
        await each.close()


async def test_a_deadlock_of_two_bots_is_no_failure(postgres_url: str) -> None:
    first, second = await open_database(postgres_url), await open_database(postgres_url)
    for name in ("Ann", "Ben"):
        await first.write(add_person, name)

    def rename(connection: Connection, *keys: str) -> None:
        for key in keys:
            connection.execute(text("UPDATE person SET name = name || '!' WHERE key = :key"), {"key": key})
            connection.execute(text("SELECT pg_sleep(0.2)"))

    await asyncio.gather(first.write(rename, "Ann", "Ben"), second.write(rename, "Ben", "Ann"))
    names = await first.read(lambda connection: sorted(connection.scalars(text("SELECT name FROM person")).all()))
    assert names == ["Ann!!", "Ben!!"]
    for each in (first, second):
        await each.close()


async def test_a_mistake_is_raised_at_once(database_url: str) -> None:
    store = await open_database(database_url)
    await store.write(add_person)
    with pytest.raises(IntegrityError):
        await store.write(add_person)
    await store.close()


async def test_a_server_that_is_just_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    if (programs := postgres.binaries()) is None:
        pytest.skip("there is no PostgreSQL here")
    monkeypatch.setattr(database, "PAUSE_SECONDS", 0.05)
    with postgres.cluster(programs) as folder:
        url = postgres.create_database(programs, folder, "starting")
        postgres.stop(programs, folder)
        with capture_logs() as logged:
            opening = asyncio.create_task(open_database(url))
            async with asyncio.timeout(90):
                while not logged:  # noqa: ASYNC110  # the log decides
                    await asyncio.sleep(0.005)
            await asyncio.to_thread(postgres.start, programs, folder)
            store = await opening
        assert [each["event"] for each in logged] == ["database_not_ready"]
        await store.close()


@pytest.mark.sqlite
async def test_a_file_that_is_deleted_while_it_is_open_is_written_back(tmp_path: Path) -> None:
    file = tmp_path / "gander.db"
    store = await open_database(sqlite_url(file))
    await store.write(add_person, "Ann")
    for name in ("gander.db", "gander.db-wal", "gander.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with capture_logs() as logged:
        await store.write(add_person, "Bob")
    assert [each["event"] for each in logged] == ["database_file_deleted", "database_file_restored"]
    assert await store.read(count_people) == 2
    await store.close()
    again = await open_database(sqlite_url(file))
    assert await again.read(count_people) == 2
    await again.close()


@pytest.mark.sqlite
async def test_a_file_that_is_replaced_while_it_is_open_is_said_and_left_alone(tmp_path: Path) -> None:
    file, other = tmp_path / "gander.db", tmp_path / "restored.db"
    store, backup = await open_database(sqlite_url(file)), await open_database(sqlite_url(other))
    await store.write(add_person, "Ann")
    await backup.close()
    other.replace(file)
    with capture_logs() as logged:
        writing = asyncio.create_task(store.write(add_person, "Bob"))
        async with asyncio.timeout(90):
            while not logged:  # noqa: ASYNC110  # another thread decides
                await asyncio.sleep(0.005)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert "restart Gander" in logged[0]["reason"]
    await store.close()


@pytest.mark.sqlite
async def test_a_database_that_cannot_be_opened_ends_the_start_with_a_sentence(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "START_SECONDS", 0.0)
    nowhere = postgres_url.replace("/test_", "/no_")
    for url, why in ((sqlite_url(tmp_path), "unable to open"), (nowhere, "does not exist"), ("postgresql://x@127.0.0.1:9/y", "9")):
        with pytest.raises(ConfigError, match=f"can't be opened: .*{why}"):
            await open_database(url)
