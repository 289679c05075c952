"""The end of an answer always arrives, once: over lost replies, moderation, closed threads and deletions, on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from discord.utils import time_snowflake

from bot.message import Place
from bot.store import deliveries
from bot.store.database import sqlite_url
from tests.adapters.discord.rig import AT_ONCE, Cdn, new_client
from tests.adapters.strict.discord.server import ANN, CHANNEL, Failure, Wire, connected, message_payload
from tests.bot.rig import Rig, ScriptedEngine, Valve, running

WORDS = ["One ", "white ", "goose."]


@asynccontextmanager
async def growing(home: Path, wire: Wire, prepare: Callable[[], None] = lambda: None) -> AsyncIterator[Rig]:
    """A bot on the wire whose answer to Ann has begun; `prepare`: before she asks."""
    engine = ScriptedEngine(lambda _: WORDS, gate=Valve(1))
    async with running(sqlite_url(home / "gander.db"), home, engine) as rig, connected(new_client(rig.core, Cdn(), **AT_ONCE)):
        prepare()
        await wire.dispatch("MESSAGE_CREATE", message_payload(str(time_snowflake(datetime.now(UTC))), ANN, "tell me a story"))
        await rig.until(lambda: bool(said(wire)))
        yield rig


def said(wire: Wire) -> list[str]:
    return [message["content"] for message in wire.messages.values()]


def labels(message: dict[str, Any]) -> list[str]:
    return [button["label"] for row in message["components"] for button in row["components"]]


async def ended(rig: Rig, wire: Wire) -> list[dict[str, Any]]:
    """What stands there once no Stop button does any more, and one answer has ended."""
    rig.engine.gate.set()
    await rig.until(lambda: any("Again" in labels(each) for each in wire.messages.values()))
    await rig.until(lambda: not any("Stop" in labels(each) for each in wire.messages.values()))
    return list(wire.messages.values())


async def test_after_a_send_whose_reply_was_lost_the_end_arrives_in_the_same_message(wire: Wire, tmp_path: Path) -> None:
    """Discord returns what the first send said: who takes the newer words for shown leaves "One" with a dead Stop button."""

    def lose() -> None:
        wire.failures["POST"] = [Failure(503, done=True)]

    async with growing(tmp_path, wire, lose) as rig:
        assert [each["content"] for each in await ended(rig, wire)] == ["One white goose."]


BLOCKED = {"code": 200000, "message": "Message was blocked by automatic moderation"}
ARCHIVED = {"code": 50083, "message": "Thread is archived"}


async def test_an_answer_that_automod_blocks_says_so(wire: Wire, tmp_path: Path) -> None:
    async with growing(tmp_path, wire) as rig:
        wire.failures["PATCH"] = [Failure(400, BLOCKED)]
        [answer] = await ended(rig, wire)
    assert answer["content"] in {"One white goose.", "The moderation of this server (AutoMod) does not let my answer pass."}


async def test_an_answer_whose_thread_was_archived_is_said_once_in_a_new_message(wire: Wire, tmp_path: Path) -> None:
    """A new message opens the thread again; until then nothing in it can be changed."""
    async with growing(tmp_path, wire) as rig:
        wire.failures["PATCH"] = [Failure(400, ARCHIVED)] * 20
        rig.engine.gate.set()
        await rig.until(lambda: "One white goose." in said(wire))
        await rig.until(lambda: len(said(wire)) == 1)


@pytest.mark.parametrize("told", [True, False])
async def test_a_growing_answer_that_a_moderator_deletes_stops_and_stays_away(wire: Wire, tmp_path: Path, *, told: bool) -> None:
    async with growing(tmp_path, wire) as rig:
        [name] = wire.messages
        del wire.messages[name]
        if told:
            # A deletion that comes before the bot knows the message is noticed with the next word.
            while not await rig.database.read(deliveries.answers_in, Place("discord", CHANNEL), name):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await wire.dispatch("MESSAGE_DELETE", {"id": name, "channel_id": CHANNEL})
            await rig.until(lambda: rig.engine.running == 0)
        rig.engine.gate.set()
        await rig.until(lambda: rig.engine.running == 0)
        rig.engine.reply = lambda _: ["Done."]
        await wire.dispatch("MESSAGE_CREATE", message_payload("2", ANN, "and now?"))
        await rig.until(lambda: "Done." in said(wire))
        assert said(wire) == ["Done."]
