"""The list of a place's conversations, searched by title and by text.

Functions take the connection of the caller's transaction. A conversation is named by the key that all its messages share.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update
from sqlalchemy.orm import aliased

from bot.store import graph
from bot.store.tables import MessageRow


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in a list."""

    key: str
    title: str  # as its person named it, else its first question
    picture: str | None  # sha256 of the first one shown in its first message
    begun: datetime  # aware, UTC
    newest: int  # the id of its newest message: lists go on before it


def listed(connection: Connection, place: str, search: str = "", before: int | None = None, limit: int = 50) -> tuple[Listed, ...]:
    """The place's conversations, those with the newest messages first. `search`: only those with these words in a title or message.

    `before`: only conversations whose newest message has a smaller id than this, for the next page of the list.
    """
    found = _spans(place)
    if search:
        found = found.where(_speaks_of(place, search))
    if before is not None:
        found = found.having(func.max(MessageRow.id) < before)
    spans = found.order_by(func.max(MessageRow.id).desc()).limit(limit).subquery()
    first = aliased(MessageRow)
    columns = (first.id, first.conversation, first.title, first.text, first.at, spans.c.newest)
    rows = connection.execute(select(*columns).join(spans, first.id == spans.c.first).order_by(spans.c.newest.desc())).all()
    pictures = graph.pictures_of(connection, [row.id for row in rows])
    return tuple(_listed(row, pictures.get(row.id, ())) for row in rows)


def rename(connection: Connection, place: str, key: str, title: str) -> bool:
    """Set a conversation's title, or remove it with an empty one; whether there is such a conversation."""
    first = select(func.min(MessageRow.id)).where(MessageRow.place == place, MessageRow.conversation == key).scalar_subquery()
    return connection.execute(update(MessageRow).where(MessageRow.id == first).values(title=title or None)).rowcount == 1


def _spans(place: str) -> Select[int, int]:
    spans = select(func.min(MessageRow.id).label("first"), func.max(MessageRow.id).label("newest"))
    return spans.where(MessageRow.place == place).group_by(MessageRow.conversation)


def _speaks_of(place: str, search: str) -> ColumnElement[bool]:
    said = aliased(MessageRow)
    words = func.lower(said.text).contains(search.lower(), autoescape=True)
    titles = func.lower(said.title).contains(search.lower(), autoescape=True)
    return MessageRow.conversation.in_(select(said.conversation).where(and_(said.place == place, or_(words, titles))))


def _listed(row: Any, pictures: tuple[str, ...]) -> Listed:
    picture = pictures[0] if pictures else None
    return Listed(row.conversation, row.title or row.text, picture, datetime.fromtimestamp(row.at, UTC), row.newest)
