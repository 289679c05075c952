"""The store is tested on both databases each time: its SQL is what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.store.database import sqlite_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "gander.db")
    url: str = request.getfixturevalue("postgres_url")
    return url
