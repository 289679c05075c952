"""A ticket lasts until its time is over, and tells after a restart whether its command was handled and what was said to it."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.platform import Outgoing
from bot.store import events, tickets
from bot.store.database import Database
from tests.bot.samples import ANN, PLACE, add_message


async def test_a_ticket_tells_what_became_of_its_event(database: Database) -> None:
    def work(connection: Connection) -> None:
        for event in ("new", "replied", "asked"):
            tickets.keep(connection, PLACE, event, {"token": event}, now=0.0, until=900.0)
        events.take(connection, PLACE, "replied", "gander", 1.0, Outgoing("No."))
        add_message(connection, "why?", author=ANN, platform_id="asked")
        found = {ticket.event: ticket for ticket in tickets.valid(connection, PLACE.platform, now=100.0)}
        assert {event: (ticket.taken, ticket.reply_pending) for event, ticket in found.items()} == {
            "new": (False, False),
            "replied": (True, True),
            "asked": (True, False),  # it has no job: nothing is going to be said
        }
        assert (found["new"].place, found["new"].data, found["new"].seconds) == (PLACE, {"token": "new"}, 800.0)

    await database.write(work)


async def test_what_has_expired_is_not_offered_and_goes_with_the_next(database: Database) -> None:
    def work(connection: Connection) -> None:
        tickets.keep(connection, PLACE, "old", {}, now=0.0, until=10.0)
        assert tickets.valid(connection, PLACE.platform, now=11.0) == ()
        tickets.keep(connection, PLACE, "new", {}, now=11.0, until=20.0)
        assert [ticket.event for ticket in tickets.valid(connection, PLACE.platform, now=0.0)] == ["new"]
        assert tickets.valid(connection, "elsewhere", now=0.0) == ()

    await database.write(work)
