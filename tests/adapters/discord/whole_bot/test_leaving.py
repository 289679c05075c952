"""Where the bot is not wanted any more, nothing is written for it: a server that removes it, a deleted channel, a lost right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from discord.utils import time_snowflake

from bot.store.database import sqlite_url
from tests.adapters.discord.rig import AT_ONCE, Cdn, new_client
from tests.adapters.strict.discord.server import ANN, CHANNEL, SERVER, Failure, Wire, connected, server_message, server_payload
from tests.bot.rig import Rig, ScriptedEngine, Valve, running

NO_RIGHT = {"code": 50013, "message": "Missing Permissions"}


@asynccontextmanager
async def writing(home: Path, wire: Wire, prepare: Callable[[], None] = lambda: None) -> AsyncIterator[Rig]:
    """A bot whose engine is in the middle of an answer."""
    engine = ScriptedEngine(lambda _: ["One ", "white ", "goose."], gate=Valve(1))
    async with running(sqlite_url(home / "gander.db"), home, engine) as rig, connected(new_client(rig.core, Cdn(), **AT_ONCE)):
        await wire.dispatch("GUILD_CREATE", server_payload())
        prepare()
        await wire.dispatch("MESSAGE_CREATE", server_message(str(time_snowflake(datetime.now(UTC))), ANN, "tell me a story"))
        await rig.until(lambda: engine.running == 1)
        yield rig


async def test_a_lost_right_ends_the_writing(wire: Wire, tmp_path: Path) -> None:
    def refuse() -> None:
        wire.failures["POST"] = [Failure(403, NO_RIGHT)] * 9

    async with writing(tmp_path, wire, refuse) as rig:
        await rig.until(lambda: rig.engine.running == 0)


@pytest.mark.parametrize("event", ["GUILD_DELETE", "CHANNEL_DELETE"])
async def test_a_server_that_removes_the_bot_and_a_deleted_channel_end_the_writing(wire: Wire, tmp_path: Path, event: str) -> None:
    async with writing(tmp_path, wire) as rig:
        told = {"id": SERVER} if event == "GUILD_DELETE" else {"id": CHANNEL, "guild_id": SERVER, "type": 0}
        await wire.dispatch(event, told)
        await rig.until(lambda: rig.engine.running == 0)
