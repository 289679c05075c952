"""A real database for every test that needs one: SQLite in a temporary folder, and PostgreSQL where a server is installed."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from bot.store.database import Database, open_database, sqlite_url
from tests.bot import postgres
from tests.bot.rig import Rig, ScriptedEngine, echo, running


@pytest.fixture(scope="session")
def new_postgres() -> Iterator[Callable[[], str]]:
    """Makes empty databases on a PostgreSQL server of the tests' own; their URLs."""
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("NOT TESTED: PostgreSQL. Install the server (Debian: apt-get install postgresql) to test the store on it.")
    with postgres.cluster(programs) as socket:
        yield lambda: postgres.create_database(programs, socket, f"test_{secrets.token_hex(6)}")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "gander.db")
    new: Callable[[], str] = request.getfixturevalue("new_postgres")
    return new()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A bot whose engine repeats the question."""
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        yield rig
