"""The message graph: every message has at most one parent, so that a path to the root is one conversation's branch.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from bot.message import Author, Picture, Place
from bot.store.database import insert
from bot.store.tables import DeliveryRow, MessagePictureRow, MessageRow, PersonRow, PictureRow, PlaceRow, PointerRow


@dataclass(frozen=True, slots=True)
class Node:
    """A stored message, as far as placing a new one needs it."""

    id: int
    conversation: str
    person: str
    spoiler: bool


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to store. `sha256s` name pictures that are stored already."""

    place: str
    platform_id: str | None
    parent: int | None
    conversation: str
    person: str
    role: str
    text: str
    at: float  # Unix seconds
    sha256s: tuple[str, ...] = ()
    spoiler: bool = False
    footer: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message on the way from the root."""

    id: int
    conversation: str
    person: str
    role: str
    text: str
    finish: str | None
    spoiler: bool
    sha256s: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is stored; `finish` None: not finished."""

    text: str
    finish: str | None
    footer: str
    spoiler: bool
    reply_to: str | None  # the question's id on the platform


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with its question, as what can be done with it needs them."""

    answer: int
    conversation: str
    person: str  # who asked
    finish: str | None
    spoiler: bool
    question: int
    text: str  # of the question


async def introduce(connection: AsyncConnection, place: Place, author: Author) -> None:
    """Keep who and where, as they are called now."""
    await keep_place(connection, place)
    person = insert(connection, PersonRow).values(key=author.key, name=author.name)
    await connection.execute(person.on_conflict_do_update(index_elements=["key"], set_={"name": author.name}))


async def keep_place(connection: AsyncConnection, place: Place) -> None:
    where = {"platform": place.platform, "channel": place.channel, "thread": place.thread, "server": place.server, "private": place.private}
    statement = insert(connection, PlaceRow).values(key=place.key, **where)
    await connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=where))


async def add_pictures(connection: AsyncConnection, pictures: Iterable[Picture], at: float) -> None:
    rows = [
        {"sha256": p.sha256, "media_type": p.media_type, "width": p.width, "height": p.height, "size": len(p.data), "at": at}
        for p in pictures
    ]
    if rows:
        await connection.execute(insert(connection, PictureRow).on_conflict_do_nothing(), rows)


async def add(connection: AsyncConnection, message: NewMessage) -> int | None:
    """The new message's id; None when the platform's message is stored already."""
    statement = insert(connection, MessageRow).values(
        place=message.place,
        platform_id=message.platform_id,
        parent=message.parent,
        conversation=message.conversation,
        person=message.person,
        role=message.role,
        text=message.text,
        footer=message.footer,
        spoiler=message.spoiler,
        at=message.at,
    )
    new: int | None = await connection.scalar(statement.on_conflict_do_nothing().returning(MessageRow.id))
    if new is not None and message.sha256s:
        links = [{"message": new, "position": n, "sha256": sha256} for n, sha256 in enumerate(message.sha256s)]
        await connection.execute(insert(connection, MessagePictureRow), links)
    return new


async def find(connection: AsyncConnection, place: str, platform_id: str) -> Node | None:
    """The message that a platform's id stands for: a person's, or an answer, any part of it."""
    delivered = select(DeliveryRow.message).where(DeliveryRow.place == place, DeliveryRow.platform_id == platform_id).scalar_subquery()
    named = or_(MessageRow.platform_id == platform_id, MessageRow.id == delivered)
    row = (await connection.execute(_nodes().where(MessageRow.place == place, named))).first()
    return Node(*row) if row else None


async def newest(connection: AsyncConnection, place: str, person: str, since: float) -> Node | None:
    """Where the place's conversation (`person` empty) or the person's own stands, if it went on after `since`."""
    pointed = _nodes().join(PointerRow, PointerRow.message == MessageRow.id)
    row = (await connection.execute(pointed.where(PointerRow.place == place, PointerRow.person == person, PointerRow.at >= since))).first()
    return Node(*row) if row else None


async def point(connection: AsyncConnection, place: str, persons: Sequence[str], message: int, at: float) -> None:
    """The next message of these persons here continues at `message`."""
    statement = insert(connection, PointerRow).values([{"place": place, "person": p, "message": message, "at": at} for p in persons])
    new = {"message": statement.excluded.message, "at": statement.excluded.at}
    await connection.execute(statement.on_conflict_do_update(index_elements=["place", "person"], set_=new))


async def unpoint(connection: AsyncConnection, place: str, persons: Sequence[str]) -> None:
    """The next message of these persons here starts afresh."""
    await connection.execute(delete(PointerRow).where(PointerRow.place == place, PointerRow.person.in_(persons)))


async def branch(connection: AsyncConnection, leaf: int) -> tuple[Turn, ...]:
    """The way from the root to `leaf`, both included."""
    walk = select(MessageRow.id, MessageRow.parent).where(MessageRow.id == leaf).cte("walk", recursive=True)
    walk = walk.union_all(select(MessageRow.id, MessageRow.parent).join(walk, MessageRow.id == walk.c.parent))
    columns = (
        MessageRow.id,
        MessageRow.conversation,
        MessageRow.person,
        MessageRow.role,
        MessageRow.text,
        MessageRow.finish,
        MessageRow.spoiler,
    )
    # A child is always stored after its parent: the order of ids is the order of the branch.
    rows = (await connection.execute(select(*columns).join(walk, MessageRow.id == walk.c.id).order_by(MessageRow.id))).all()
    pictures = await pictures_of(connection, [row.id for row in rows])
    return tuple(Turn(*row, sha256s=pictures.get(row.id, ())) for row in rows)


async def pictures_of(connection: AsyncConnection, messages: Sequence[int]) -> dict[int, tuple[str, ...]]:
    statement = select(MessagePictureRow.message, MessagePictureRow.sha256).where(MessagePictureRow.message.in_(messages))
    found: dict[int, tuple[str, ...]] = {}
    for message, sha256 in await connection.execute(statement.order_by(MessagePictureRow.message, MessagePictureRow.position)):
        found[message] = (*found.get(message, ()), sha256)
    return found


async def answer(connection: AsyncConnection, message: int) -> Answer | None:
    """An answer, with what its delivery needs; None: it was forgotten."""
    question = aliased(MessageRow)
    columns = (MessageRow.text, MessageRow.finish, MessageRow.footer, MessageRow.spoiler, question.platform_id)
    statement = select(*columns).outerjoin(question, question.id == MessageRow.parent).where(MessageRow.id == message)
    row = (await connection.execute(statement)).first()
    return Answer(*row) if row else None


async def asked(connection: AsyncConnection, place: str, answer: int | None, person: str) -> Asked | None:
    """An answer of this place by its id; with None, the newest one to this person here."""
    question = aliased(MessageRow)
    columns = (MessageRow.id, MessageRow.conversation, MessageRow.person, MessageRow.finish, MessageRow.spoiler, question.id, question.text)
    found = select(*columns).join(question, question.id == MessageRow.parent)
    found = found.where(MessageRow.place == place, MessageRow.role == "assistant")
    found = found.where(MessageRow.person == person if answer is None else MessageRow.id == answer)
    row = (await connection.execute(found.order_by(MessageRow.id.desc()).limit(1))).first()
    return Asked(*row) if row else None


async def media_types(connection: AsyncConnection, sha256s: Collection[str]) -> dict[str, str]:
    rows = await connection.execute(select(PictureRow.sha256, PictureRow.media_type).where(PictureRow.sha256.in_(sha256s)))
    return dict(rows.all())


async def place_of(connection: AsyncConnection, key: str) -> Place:
    row = (await connection.execute(select(PlaceRow).where(PlaceRow.key == key))).one()
    return Place(row.platform, row.channel, row.thread, row.server, row.private)


async def name_of(connection: AsyncConnection, person: str) -> str:
    return await connection.scalar(select(PersonRow.name).where(PersonRow.key == person)) or ""


async def forget(connection: AsyncConnection, person: str) -> tuple[int, list[str]]:
    """Delete a person's messages and the answers to them; how many, and the pictures that nobody else showed."""
    await connection.execute(update(PersonRow).where(PersonRow.key == person).values(name=""))
    return await _delete(connection, MessageRow.person == person)


async def expire(connection: AsyncConnection, before: float) -> tuple[int, list[str]]:
    """Delete what is older than the retention period; how many messages, and the pictures that nothing shows any more."""
    return await _delete(connection, MessageRow.at < before)


async def _delete(connection: AsyncConnection, which: ColumnElement[bool]) -> tuple[int, list[str]]:
    deleted = (await connection.execute(delete(MessageRow).where(which))).rowcount
    unused = delete(PictureRow).where(PictureRow.sha256.not_in(select(MessagePictureRow.sha256)))
    return deleted, list((await connection.scalars(unused.returning(PictureRow.sha256))).all())


def _nodes() -> Select[int, str, str, bool]:
    return select(MessageRow.id, MessageRow.conversation, MessageRow.person, MessageRow.spoiler)
