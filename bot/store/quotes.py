"""The words of others that stand quoted at the head of somebody's question: deleted when those who said them want that.

Functions take the connection of the caller's transaction. A quote is what `bot.conversation.with_quote` puts there: lines
that begin with "> ", up to the first empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from bot.store.tables import JobRow, MessageRow


def blank(connection: Connection, person: str, words: Callable[[str], str], places: Collection[str] | None = None) -> None:
    """Put `words` (of a language, BCP 47) in the place of what this person (key) is quoted with: in these places, or anywhere."""
    language = select(JobRow.settings).where(JobRow.question == MessageRow.id).order_by(JobRow.id).limit(1).scalar_subquery()
    for message, text, settings in connection.execute(select(MessageRow.id, MessageRow.text, language).where(_of(person, places))).all():
        _, gap, question = text.partition("\n\n")
        told: dict[str, Any] = settings or {}
        blanked = f"> {words(told.get('language', 'en'))}{gap}{question}"
        connection.execute(update(MessageRow).where(MessageRow.id == message).values(text=blanked, quoted=None))


def count(connection: Connection, person: str, places: Collection[str] | None = None) -> int:
    """In how many questions this person is quoted."""
    return connection.scalar(select(func.count()).select_from(MessageRow).where(_of(person, places))) or 0


def _of(person: str, places: Collection[str] | None) -> ColumnElement[bool]:
    quoted = MessageRow.quoted == person
    return quoted if places is None else and_(quoted, MessageRow.place.in_(places))
