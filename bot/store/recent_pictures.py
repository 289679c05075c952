"""The pictures that stand in channels, for minutes, as references: a question just after a restart still finds the one it means.

Functions take the connection of the caller's transaction. No picture itself is kept, and none of what was said beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from bot.message import Author
from bot.store.database import insert
from bot.store.tables import RecentPictureRow


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """One message with pictures. `files`: what it takes to fetch each again, as JSON."""

    place: str  # key
    message_id: str
    author: Author
    at: float  # Unix seconds; when it was sent
    files: tuple[Mapping[str, Any], ...]
    asked: bool


def keep(connection: Connection, owner: str, kept: KeptPicture) -> None:
    """For this bot. A message that is kept already stays as it is."""
    row = {
        "owner": owner,
        "place": kept.place,
        "message_id": kept.message_id,
        "person": kept.author.key,
        "name": kept.author.name,
        "at": kept.at,
        "files": [dict(file) for file in kept.files],
        "asked": kept.asked,
    }
    connection.execute(insert(connection.dialect.name, RecentPictureRow).values(row).on_conflict_do_nothing())


def since(connection: Connection, owner: str, at: float) -> tuple[KeptPicture, ...]:
    """What was sent after this Unix time, oldest first."""
    found = select(RecentPictureRow).where(RecentPictureRow.owner == owner, RecentPictureRow.at >= at).order_by(RecentPictureRow.at)
    return tuple(_kept(row) for row in connection.execute(found.with_only_columns(*RecentPictureRow.__table__.columns)))


def mark(connection: Connection, owner: str, place: str, message_id: str) -> None:
    """Somebody asked about it."""
    connection.execute(update(RecentPictureRow).where(*_this(owner, place, message_id)).values(asked=True))


def drop(connection: Connection, owner: str, place: str, message_id: str) -> None:
    connection.execute(delete(RecentPictureRow).where(*_this(owner, place, message_id)))


def forget(connection: Connection, person: str) -> None:
    """All of one person (key), whichever bot saw it."""
    connection.execute(delete(RecentPictureRow).where(RecentPictureRow.person == person))


def expire(connection: Connection, before: float) -> None:
    """Forget what was sent before this Unix time."""
    connection.execute(delete(RecentPictureRow).where(RecentPictureRow.at < before))


def _this(owner: str, place: str, message_id: str) -> tuple[Any, ...]:
    return RecentPictureRow.owner == owner, RecentPictureRow.place == place, RecentPictureRow.message_id == message_id


def _kept(row: Any) -> KeptPicture:
    platform, _, person = row.person.partition(":")
    return KeptPicture(row.place, row.message_id, Author(platform, person, row.name), row.at, tuple(row.files), row.asked)
