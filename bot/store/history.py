"""The messages of a place with all that a page shows of them, newest or of one conversation.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select, true
from sqlalchemy.orm import aliased

from bot.store import graph, votes
from bot.store.tables import DeliveryRow, JobRow, MessagePictureRow, MessageRow, PersonRow
from bot.store.votes import Standing


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message. `message_ids`: the platform's; several where an answer was split, none where it was not sent."""

    id: int
    parent: int | None
    conversation: str
    role: str  # user, assistant
    text: str
    finish: str | None
    footer: str
    at: float  # Unix seconds
    author: str  # the name of who wrote it; of an answer: of who asked for it
    language: str | None  # of an answer's own words; None: a person's message
    replies_to: str | None  # the platform's id of the parent, where a person wrote that
    pictures: tuple[str, ...]  # sha256
    message_ids: tuple[str, ...]
    standing: Standing
    trace: Mapping[str, Any] | None = None  # MessageRow.trace


def messages(connection: Connection, place: str, limit: int, conversation: str | None = None) -> tuple[StoredMessage, ...]:
    """The newest messages, of one conversation or of all, oldest first."""
    rows = list(reversed(connection.execute(_newest(place, limit, conversation)).all()))
    ids = [row.id for row in rows]
    pictures = graph.pictures_of(connection, ids)
    sent, standing = _sent(connection, ids), votes.standings(connection, ids)
    return tuple(_message(row, pictures.get(row.id, ()), sent.get(row.id, ()), standing[row.id]) for row in rows)


def shown_here(connection: Connection, place: str, sha256: str) -> bool:
    """Whether a message of this place shows the picture."""
    statement = select(MessageRow.id).join(MessagePictureRow, MessagePictureRow.message == MessageRow.id)
    found = statement.where(MessageRow.place == place, MessagePictureRow.sha256 == sha256).limit(1)
    return connection.scalar(found) is not None


def _newest(place: str, limit: int, conversation: str | None) -> Select[Any]:
    columns = (
        MessageRow.id,
        MessageRow.parent,
        MessageRow.conversation,
        MessageRow.role,
        MessageRow.text,
        MessageRow.finish,
        MessageRow.footer,
        MessageRow.trace,
    )
    more = (MessageRow.platform_id, MessageRow.at, PersonRow.name, JobRow.settings)
    before = aliased(MessageRow)
    joined = select(*columns, *more, before.platform_id.label("replies_to")).join(PersonRow, PersonRow.key == MessageRow.person)
    joined = joined.outerjoin(JobRow, JobRow.answer == MessageRow.id).outerjoin(before, before.id == MessageRow.parent)
    wanted = true() if conversation is None else MessageRow.conversation == conversation
    return joined.where(MessageRow.place == place, wanted).order_by(MessageRow.id.desc()).limit(limit)


def _sent(connection: Connection, ids: list[int]) -> dict[int, tuple[str, ...]]:
    """The platform's ids of each answer's parts."""
    statement = select(DeliveryRow.message, DeliveryRow.platform_id).where(DeliveryRow.message.in_(ids)).order_by(DeliveryRow.part)
    sent: dict[int, tuple[str, ...]] = {}
    for message, platform_id in connection.execute(statement):
        if message is not None and platform_id is not None:
            sent[message] = (*sent.get(message, ()), platform_id)
    return sent


def _message(row: Any, pictures: tuple[str, ...], sent: tuple[str, ...], standing: Standing) -> StoredMessage:
    return StoredMessage(
        id=row.id,
        parent=row.parent,
        conversation=row.conversation,
        role=row.role,
        text=row.text,
        finish=row.finish,
        footer=row.footer,
        at=row.at,
        author=row.name,
        language=row.settings["language"] if row.settings else None,
        replies_to=row.replies_to,
        pictures=pictures,
        message_ids=sent if row.role == "assistant" else tuple(filter(None, (row.platform_id,))),
        standing=standing,
        trace=row.trace,
    )
