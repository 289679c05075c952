"""Tickets: what a platform gave with a command to reply to it by, for a while. They outlast a restart, so that every command is replied to.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Row, and_, delete, exists, select
from sqlalchemy.orm import aliased

from bot.api import Ticket
from bot.message import Place
from bot.store import graph
from bot.store.database import insert
from bot.store.tables import DeliveryRow, EventRow, JobRow, JobState, MessageRow, PlaceRow, TicketRow


def keep(connection: Connection, place: Place, event: str, data: Mapping[str, str | int], now: float, until: float) -> None:
    """Store a ticket, and delete those that have expired. Times in Unix seconds."""
    graph.keep_place(connection, place)
    connection.execute(delete(TicketRow).where(TicketRow.until < now))
    row = {"place": place.key, "event": event, "data": dict(data), "until": until}
    connection.execute(insert(connection.dialect.name, TicketRow).values(row).on_conflict_do_nothing())


def valid(connection: Connection, platform: str, now: float) -> tuple[Ticket, ...]:
    """A platform's tickets that have not expired, oldest first."""
    event = and_(EventRow.place == TicketRow.place, EventRow.event == TicketRow.event)
    asked = and_(MessageRow.place == TicketRow.place, MessageRow.platform_id == TicketRow.event)
    columns = (
        TicketRow.event,
        TicketRow.data,
        TicketRow.until,
        EventRow.event.label("dealt"),
        EventRow.reply,
        MessageRow.id.label("question"),
    )
    found = (
        select(*columns, PlaceRow)
        .join(PlaceRow, PlaceRow.key == TicketRow.place)
        .outerjoin(EventRow, event)
        .outerjoin(MessageRow, asked)
        .where(PlaceRow.platform == platform, TicketRow.until > now)
        .order_by(TicketRow.until)
    )
    return tuple(_ticket(connection, row, now) for row in connection.execute(found))


def _ticket(connection: Connection, row: Row[tuple[object, ...]], now: float) -> Ticket:
    said = _said(connection, row.question) if row.question is not None else ()
    pending = row.reply is not None or (row.question is not None and not said and _is_open(connection, row.question))
    taken = row.dealt is not None or row.question is not None
    return Ticket(graph.place_of(row), row.event, row.data, row.until - now, taken=taken, reply_pending=pending, message_ids=said)


def _said(connection: Connection, question: int) -> tuple[str, ...]:
    """The messages of the answers to it."""
    answer = aliased(MessageRow)
    sent = select(DeliveryRow.platform_id).join(answer, answer.id == DeliveryRow.message).where(answer.parent == question)
    return tuple(name for name in connection.scalars(sent.order_by(DeliveryRow.id)) if name)


def _is_open(connection: Connection, question: int) -> bool:
    return bool(connection.scalar(select(exists().where(JobRow.question == question, JobRow.state != JobState.DONE))))
