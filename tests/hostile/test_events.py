"""Whatever the platforms' schemas allow may come: nothing is unreadable, nobody is shown a traceback, and who asks next is answered."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from discord.app_commands import CommandNotFound
from hypothesis import HealthCheck
from hypothesis import strategies as st

from adapters.telegram.inbox import ALLOWED_UPDATES
from adapters.telegram.read_update import STOPPED_DRAFT
from tests.adapters.strict.discord.whole import whole as discord
from tests.adapters.strict.telegram import bot_api
from tests.adapters.strict.telegram.world import ANN, BOB, ME
from tests.adapters.telegram.rig import whole as telegram
from tests.hostile.platform_schemas import IDS, TEXTS, payload, typed_dictionaries, update

EVENTS = [60, pytest.param(3_000, marks=[pytest.mark.sweep, pytest.mark.timeout(3_600)])]
GROUP = -1005
MARK = "Traceback"


def some(strategy: st.SearchStrategy[Any], count: int) -> Sequence[Any]:
    """So many examples, drawn as tests draw theirs: the same each time in the suite, others in a sweep."""
    drawn: list[Any] = []

    @hypothesis.settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @hypothesis.given(strategy)
    def keep(example: Any) -> None:
        drawn.append(example)

    keep()
    return drawn


@pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")  # its own, where it reads an update of an older form
@pytest.mark.parametrize("count", EVENTS)
async def test_any_update_of_telegram_s_is_read_and_the_next_question_answered(count: int, tmp_path: Path) -> None:
    people = st.sampled_from((ANN, BOB, ME))
    chats = st.sampled_from(({"id": ANN["id"], "type": "private", "first_name": "Ann"}, {"id": GROUP, "type": "supergroup", "title": "G"}))
    kinds = tuple(kind for kind in ALLOWED_UPDATES if kind != STOPPED_DRAFT)  # which aiogram does not know
    async with telegram(tmp_path) as bot:
        bot.world.private()
        bot.world.group(GROUP)
        types = bot_api.module("types")
        for drawn in some(update(kinds, {types.Chat: chats, types.User: people}), count):
            [kind] = drawn.keys() - {"update_id"}
            await bot.world.tell(kind, drawn[kind])
        chat = bot.world.private(BOB)  # what came in the others may stop what is asked there
        await bot.world.say(chat, "Still there?", by=BOB)
        await bot.until(lambda: any("You asked: Still there?" in str(each.get("text")) for each in bot.said(chat)))
        assert not [each for each in bot.world.messages.values() if MARK in str(each)]
    assert unreadable(tmp_path) == []


def unreadable(home: Path) -> list[tuple[str, str]]:
    """The updates that could not be read, with their faults."""
    with closing(sqlite3.connect(home / "gander.db")) as database:
        return database.execute("SELECT fault, raw FROM kept_update WHERE fault != ''").fetchall()


@pytest.mark.parametrize("count", EVENTS)
async def test_any_event_of_discord_s_is_read_and_the_next_question_answered(
    count: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    types = typed_dictionaries()
    async with discord(tmp_path) as bot:
        world = bot.world
        when = st.datetimes().map(lambda time: f"{time.isoformat()}+00:00")
        known = {
            "channel_id": st.one_of(st.just(str(world.channel.id)), IDS.map(str)),
            "guild_id": st.just(str(world.guild.id)),
            "content": st.one_of(TEXTS, TEXTS.map(lambda words: f"{world.mention} {words}")),
            **dict.fromkeys(("timestamp", "edited_timestamp", "joined_at", "premium_since", "expires_at"), when),
            "avatar": st.none(),
            "discriminator": st.just("0"),
            "permissions": st.just("0"),
            types["User"]: st.just({"id": str(world.ann.id), "username": "ann", "discriminator": "0", "avatar": None}),
        }
        events = {
            "MESSAGE_CREATE": "MessageCreateEvent",
            "MESSAGE_UPDATE": "MessageUpdateEvent",
            "MESSAGE_DELETE": "MessageDeleteEvent",
            "MESSAGE_DELETE_BULK": "MessageDeleteBulkEvent",
            "INTERACTION_CREATE": "InteractionCreateEvent",
            "THREAD_DELETE": "ThreadDeleteEvent",
        }
        one = st.one_of([st.tuples(st.just(event), payload(name, known)) for event, name in events.items()])
        for event, data in some(one, count):
            bot.api.gateway.send(event, data)
        world.asks("Still there?")
        await bot.until(lambda: any("You asked: Still there?" in each.content for each in world.said()))
        assert not [each for each in world.said() if MARK in each.content]
    faults = [record.exc_info[1] for record in caplog.records if record.levelno >= logging.ERROR and record.exc_info]
    assert [fault for fault in faults if not isinstance(fault, CommandNotFound)] == []
