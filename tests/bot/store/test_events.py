"""An event is handled once; its reply is stored until it is sent, for the bot that handled it."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from bot.message import Place
from bot.platform import Button, Named, Outgoing
from bot.store import events
from bot.store.database import Database, DatabaseTime
from bot.store.tables import BotRow
from tests.bot.samples import PLACE

REPLY = Outgoing("Not in the channels: discord:7.", (Button.SETTINGS,), private=True, named=(Named("channel", "discord:7"),))


async def test_an_event_is_taken_once(database: Database) -> None:
    def work(connection: Connection) -> None:
        assert not events.taken(connection, PLACE.key, "1")
        assert [events.take(connection, PLACE, "1", "gander", 1.0, REPLY) for _ in range(2)] == [True, False]
        assert events.take(connection, Place("web", "pond"), "1", "gander", 1.0)
        assert events.taken(connection, PLACE.key, "1")

    await database.write(work)


async def test_what_is_owed_is_known_until_it_is_said(database: Database) -> None:
    def work(connection: Connection) -> None:
        for event, reply, at in (("2", REPLY, 2.0), ("1", REPLY, 1.0), ("silent", None, 1.0), ("young", REPLY, 9.0)):
            events.take(connection, PLACE, event, "gander", at, reply)
        events.take(connection, PLACE, "another's", "goose", 1.0, REPLY)
        found = events.undelivered(connection, PLACE.platform, "gander", before=5.0)
        assert found == (events.UndeliveredReply(PLACE, "1", REPLY, 1.0), events.UndeliveredReply(PLACE, "2", REPLY, 2.0))
        events.said(connection, PLACE.key, "1")
        assert [each.event for each in events.undelivered(connection, PLACE.platform, "gander", before=5.0)] == ["2"]
        assert events.undelivered(connection, "elsewhere", "gander", before=5.0) == ()

    await database.write(work)


async def test_what_a_dead_bot_was_to_say_is_another_s_to_say_once(database: Database) -> None:
    def work(connection: Connection) -> None:
        for name, silence in (("dead", 20), ("living", 0), ("gander", 20)):
            connection.execute(insert(BotRow).values(name=name, heartbeat=DatabaseTime() - silence))
        for owner in ("dead", "living", "of an old version"):
            events.take(connection, PLACE, owner, owner, 1.0, REPLY)
        left = (events.UndeliveredReply(PLACE, "dead", REPLY, 1.0),)
        assert events.take_over(connection, ("elsewhere",), "gander", 5.0, 10) == ()
        assert events.take_over(connection, (PLACE.platform,), "gander", 5.0, 10) == left
        assert events.take_over(connection, (PLACE.platform,), "gander", 5.0, 10) == ()
        assert events.undelivered(connection, PLACE.platform, "gander", before=5.0) == left

    await database.write(work)


async def test_old_events_are_forgotten(database: Database) -> None:
    def work(connection: Connection) -> None:
        events.take(connection, PLACE, "old", "gander", 1.0)
        events.take(connection, PLACE, "young", "gander", 3.0)
        events.expire(connection, before=2.0)
        assert [events.taken(connection, PLACE.key, event) for event in ("old", "young")] == [False, True]

    await database.write(work)
