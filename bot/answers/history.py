"""What a place remembers, as a page shows it after a reload or a restart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, select, true
from sqlalchemy.orm import aliased

from bot.answers.generate import answer_buttons, shown_text
from bot.answers.vote_buttons import vote_buttons
from bot.ports import Remembered
from bot.store import graph, votes
from bot.store.tables import DeliveryRow, JobRow, MessagePictureRow, MessageRow, PersonRow
from bot.store.votes import Standing
from bot.texts import Texts


def history(connection: Connection, texts: Texts, place: str, limit: int, conversation: str | None = None) -> tuple[Remembered, ...]:
    """The newest messages, of one conversation or of all, oldest first."""
    rows = list(reversed(connection.execute(_newest(place, limit, conversation)).all()))
    ids = [row.id for row in rows]
    pictures = graph.pictures_of(connection, ids)
    sent, standing = _sent(connection, ids), votes.standings(connection, ids)
    return tuple(_remembered(texts, row, pictures.get(row.id, ()), sent.get(row.id, ()), standing[row.id]) for row in rows)


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


def _remembered(texts: Texts, row: Any, pictures: tuple[str, ...], sent: tuple[str, ...], standing: Standing) -> Remembered:
    answered = row.role == "assistant"
    return Remembered(
        id=row.id,
        parent=row.parent,
        conversation=row.conversation,
        role="assistant" if answered else "user",
        author="" if answered else row.name,
        text=shown_text(texts, row.settings["language"], row.text, row.finish) if row.settings else row.text,
        pictures=pictures,
        at=datetime.fromtimestamp(row.at, UTC),
        message_ids=sent if answered else tuple(filter(None, (row.platform_id,))),
        buttons=answer_buttons(row.finish) if answered else (),
        footer=row.footer,
        pending=answered and row.finish is None,
        replies_to=row.replies_to,
        columns=standing.columns,
        actions=vote_buttons(row.id, standing, votes_open=False),
    )
