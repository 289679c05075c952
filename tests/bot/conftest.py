"""A real database for every test that needs one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store.database import Database, open_database, sqlite_url
from tests.bot.rig import Rig, ScriptedEngine, echo, running


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite, or PostgreSQL with `pytest --database postgresql`."""
    return sqlite_url(tmp_path / "gander.db")


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
