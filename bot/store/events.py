"""Remembers which commands and refused messages were handled: a platform may send one again after a kill, and it is ignored then.

Stored questions need no row here: their messages are unique. Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, or_, select, update

from bot.message import Place
from bot.platform import Action, AnswerColumn, Button, Named, Outgoing, Panel, Reader
from bot.store import graph
from bot.store.database import DatabaseTime, insert
from bot.store.tables import BotRow, EventRow, PlaceRow


@dataclass(frozen=True, slots=True)
class UndeliveredReply:
    """A reply to a command or refused message whose send was not confirmed."""

    place: Place
    event: str
    reply: Outgoing
    at: float  # Unix seconds; when the event was handled


def taken(connection: Connection, place: str, event: str) -> bool:
    """Whether this event was handled."""
    return connection.scalar(_TAKEN, {"where": place, "name": event}) is not None


def take(connection: Connection, place: Place, event: str, owner: str, at: float, reply: Outgoing | None = None) -> bool:
    """Mark an event as handled and store the reply that is going to be sent to it; False: it was handled before."""
    graph.keep_place(connection, place)
    row = {"place": place.key, "event": event, "owner": owner, "at": at, "reply": _kept(reply) if reply else None}
    statement = insert(connection.dialect.name, EventRow).values(row).on_conflict_do_nothing()
    return connection.scalar(statement.returning(EventRow.at)) is not None


def said(connection: Connection, place: str, event: str) -> None:
    """The reply was sent, or can't be: delete its text."""
    connection.execute(update(EventRow).where(_this(place, event)).values(reply=None))


def undelivered(connection: Connection, platform: str, owner: str, before: float) -> tuple[UndeliveredReply, ...]:
    """The replies of this bot to events handled before `before` (Unix seconds) that were not sent, oldest first."""
    here = and_(PlaceRow.platform == platform, EventRow.owner == owner, EventRow.at < before)
    statement = select(EventRow.event, EventRow.reply, EventRow.at, PlaceRow).join(PlaceRow, PlaceRow.key == EventRow.place)
    rows = connection.execute(statement.where(here, EventRow.reply.is_not(None)).order_by(EventRow.at)).all()
    return tuple(UndeliveredReply(graph.place_of(row), row.event, _outgoing(row.reply), row.at) for row in rows)


def take_over(
    connection: Connection, platforms: Collection[str], owner: str, before: float, dead_after: float
) -> tuple[UndeliveredReply, ...]:
    """The replies to events handled before `before` (Unix seconds) that bots were to send which have been dead for `dead_after` seconds,
    oldest first: they are this bot's now."""
    here = select(PlaceRow.key).where(PlaceRow.platform.in_(platforms))
    dead = select(BotRow.name).where(BotRow.name != owner, BotRow.heartbeat < DatabaseTime() - dead_after)
    left = and_(EventRow.reply.is_not(None), EventRow.at < before, EventRow.place.in_(here), EventRow.owner.in_(dead))
    taken = connection.execute(update(EventRow).where(left).values(owner=owner).returning(EventRow.place, EventRow.event)).all()
    if not taken:
        return ()
    which = or_(*(_this(place, event) for place, event in taken))
    statement = select(EventRow.event, EventRow.reply, EventRow.at, PlaceRow).join(PlaceRow, PlaceRow.key == EventRow.place)
    rows = connection.execute(statement.where(which).order_by(EventRow.at)).all()
    return tuple(UndeliveredReply(graph.place_of(row), row.event, _outgoing(row.reply), row.at) for row in rows)


def expire(connection: Connection, before: float) -> None:
    """Delete events handled before this Unix time: no platform sends them again."""
    connection.execute(delete(EventRow).where(EventRow.at < before))


def _this(place: str, event: str) -> Any:
    return and_(EventRow.place == place, EventRow.event == event)


def _kept(reply: Outgoing) -> dict[str, Any]:
    return asdict(reply) | {"files": [str(file) for file in reply.files]}


def _outgoing(kept: dict[str, Any]) -> Outgoing:
    parts = {
        "buttons": tuple(Button(each) for each in kept["buttons"]),
        "actions": tuple(Action(**each) for each in kept.get("actions", ())),
        "files": tuple(Path(each) for each in kept.get("files", ())),
        "columns": tuple(AnswerColumn(**each) for each in kept.get("columns", ())),
        "named": tuple(Named(**each) for each in kept.get("named", ())),
        "reader": Reader(**kept["reader"]) if kept.get("reader") else None,
        "panel": Panel(**kept["panel"]) if kept.get("panel") else None,
    }
    return Outgoing(**kept | parts)


# Built once: every question needs it.
_TAKEN = select(EventRow.at).where(EventRow.place == bindparam("where"), EventRow.event == bindparam("name"))
