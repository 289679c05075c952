"""A whole bot whose engine says which settings it was asked with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.platform import EditBudget, Limits
from bot.store.database import sqlite_url
from tests.bot.demo.room import reply
from tests.bot.rig import Lobby, Rig, ScriptedEngine, running


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(reply)
    engine.gate.set()
    chat = Lobby(limits=Limits(text=2_000, budget=EditBudget(1_000, 1.0)))
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        rig.core.demos.page = "http://127.0.0.1:8484"
        yield rig
