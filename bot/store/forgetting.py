"""Deletes from the store: what a person wants forgotten or deletes on the platform, and what is older than the retention period.

Functions take the connection of the caller's transaction. With a message go its job, its deliveries, its votes and
its links to pictures; with the last message that shows a picture goes the picture. What others quote of it at the head of their questions
(lines that begin with "> ", up to the first empty one: `bot.conversation.with_quote`) is blanked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, or_, select, true, update
from sqlalchemy.orm import aliased

from bot.message import Place
from bot.store import owed_forgets
from bot.store.scoped_settings import Scope
from bot.store.tables import DeliveryRow, JobRow, MessagePictureRow, MessageRow, PersonRow, PictureRow, PlaceRow, SettingRow, VoteRow

BATCH = 1_000  # messages that expire in one transaction: the bot goes on writing between two
MANY = 10_000  # pictures: with more, all are looked at instead of naming each in the statement


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many messages, and picture files that nobody else showed, were deleted."""

    messages: int
    pictures: int
    owed: int = 0  # engines that could not be told yet, of this or of something earlier


@dataclass(frozen=True, slots=True)
class ForgetPreview:
    """What `/forget` would delete: messages with the answers to them, and pictures that nobody else showed."""

    messages: int
    pictures: int
    people: tuple[tuple[str, int], ...]  # the names of those who wrote it, with how many messages each; who wrote most comes first
    quotes: int = 0  # questions of others in which words are quoted that would be deleted


def forget(connection: Connection, person: str, blank: Callable[[str], str]) -> tuple[int, list[str]]:
    """Delete a person's messages, the answers to them, and what else is kept of them; how many messages, and the pictures that
    nobody else showed. `blank`: what stands, in a language, where somebody quoted them."""
    connection.execute(update(PersonRow).where(PersonRow.key == person).values(name=""))
    connection.execute(delete(VoteRow).where(VoteRow.person == person))
    connection.execute(delete(SettingRow).where(SettingRow.scope == Scope.PERSON, SettingRow.key == person))
    gone = _delete(connection, _of(person))
    blank_quotes(connection, person, blank)
    return gone


def held(connection: Connection, person: str) -> ForgetPreview:
    """How many messages and pictures `forget` would delete."""
    return replace(_held(connection, _of(person)), quotes=count_quotes(connection, person))


def held_in(connection: Connection, places: Collection[str], person: str | None) -> ForgetPreview:
    """How many messages and pictures `forget_in` would delete."""
    found = _held(connection, _said_in(places, person))
    return found if person is None else replace(found, quotes=count_quotes(connection, person, places))


def forget_in(connection: Connection, places: Collection[str], person: str | None, blank: Callable[[str], str]) -> tuple[int, list[str]]:
    """Delete what was said in these places, by everybody or by one person, and the answers; as `forget` counts."""
    gone = _delete(connection, _said_in(places, person))
    if person is not None:
        blank_quotes(connection, person, blank, places)
    return gone


def forget_conversation(connection: Connection, place: str, conversation: str) -> tuple[int, list[str]]:
    """Delete one conversation of a place, all its branches; as `forget` counts."""
    return _delete(connection, and_(MessageRow.place == place, MessageRow.conversation == conversation))


def places_around(connection: Connection, place: Place, whole_server: bool) -> tuple[str, ...]:
    """The keys of this channel and its threads; or of all places on this server, where there is one."""
    around = PlaceRow.server == place.server if whole_server and place.server else PlaceRow.channel == place.channel
    return tuple(connection.scalars(select(PlaceRow.key).where(PlaceRow.platform == place.platform, around)))


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What is left to do after a question was deleted: messages to delete on the platform (by its ids), and picture files to delete."""

    message_ids: tuple[str, ...]
    sha256s: list[str]


def answers_to(connection: Connection, place: str, platform_id: str) -> tuple[int, ...]:
    """The answers to a person's message."""
    question = _question(place, platform_id).scalar_subquery()
    return tuple(connection.scalars(select(MessageRow.id).where(MessageRow.parent == question, MessageRow.role == "assistant")))


def withdraw(connection: Connection, place: str, platform_id: str, answers: Collection[int]) -> Withdrawal:
    """Delete a person's message, and these answers to it."""
    sent = select(DeliveryRow.platform_id).where(DeliveryRow.message.in_(answers), DeliveryRow.platform_id.is_not(None))
    message_ids = tuple(name for name in connection.scalars(sent.order_by(DeliveryRow.id)) if name)
    question = _question(place, platform_id).scalar_subquery()
    _, sha256s = _delete(connection, or_(MessageRow.id == question, MessageRow.id.in_(answers)))
    return Withdrawal(message_ids, sha256s)


def expire(connection: Connection, before: float) -> tuple[int, list[str]]:
    """Delete messages from before this Unix time, `BATCH` at most; as `forget` counts."""
    old = aliased(MessageRow)
    oldest = select(old.id).where(old.at < before).order_by(old.id).limit(BATCH)
    return _delete(connection, MessageRow.id.in_(oldest))


def drop_unshown(connection: Connection, among: Collection[str] | None = None) -> list[str]:
    """Delete the pictures that no message shows, all or of these, and the parts of them: their sha256."""
    named = true() if among is None or len(among) > MANY else PictureRow.sha256.in_(among)
    shown = select(MessagePictureRow.sha256).where(MessagePictureRow.sha256 == PictureRow.sha256).exists()
    gone = list(connection.scalars(delete(PictureRow).where(named, ~shown).returning(PictureRow.sha256)).all())
    whole = select(PictureRow.sha256).where(PictureRow.sha256 == MessagePictureRow.part_of).exists()
    orphans = delete(MessagePictureRow).where(MessagePictureRow.part_of.is_not(None), ~whole).returning(MessagePictureRow.sha256)
    parts = set(connection.scalars(orphans)) if gone else set()
    return [*gone, *drop_unshown(connection, parts)] if parts else gone


def sweep_unshown(connection: Connection) -> list[str]:
    """As `drop_unshown`, of all pictures: such as a change of a question left behind."""
    unshown = drop_unshown(connection)
    if unshown:
        owed_forgets.owe(connection, unshown)
    return unshown


def _said_in(places: Collection[str], person: str | None) -> ColumnElement[bool]:
    said = MessageRow.place.in_(places)
    return said if person is None else and_(said, _of(person))


def _held(connection: Connection, which: ColumnElement[bool]) -> ForgetPreview:
    messages = connection.scalar(select(func.count()).select_from(MessageRow).where(which)) or 0
    theirs = select(MessageRow.id).where(which)
    elsewhere = select(MessagePictureRow.sha256).where(MessagePictureRow.message.not_in(theirs))
    shown = select(func.count(MessagePictureRow.sha256.distinct())).where(MessagePictureRow.message.in_(theirs))
    pictures = connection.scalar(shown.where(MessagePictureRow.sha256.not_in(elsewhere))) or 0
    written = select(PersonRow.name, func.count()).join(MessageRow, MessageRow.person == PersonRow.key)
    people = (
        written.where(which, MessageRow.role == "user")
        .group_by(PersonRow.key, PersonRow.name)
        .order_by(func.count().desc(), PersonRow.name)
    )
    return ForgetPreview(messages, pictures, tuple((name, count) for name, count in connection.execute(people)))


def _of(person: str) -> ColumnElement[bool]:
    """What this person said, and the answers to it, whoever asked for them."""
    question = aliased(MessageRow)
    theirs = select(question.id).where(question.person == person, question.role == "user")
    return or_(MessageRow.person == person, and_(MessageRow.role == "assistant", MessageRow.parent.in_(theirs)))


def _question(place: str, platform_id: str) -> Select[int]:
    question = aliased(MessageRow)
    return select(question.id).where(question.place == place, question.platform_id == platform_id, question.role == "user")


def _delete(connection: Connection, which: ColumnElement[bool]) -> tuple[int, list[str]]:
    theirs = select(MessagePictureRow.sha256).where(MessagePictureRow.message.in_(select(MessageRow.id).where(which)))
    pictures = set(connection.scalars(theirs))
    deleted = connection.execute(delete(MessageRow).where(which)).rowcount
    unshown = drop_unshown(connection, pictures)
    if deleted:
        owed_forgets.owe(connection, unshown)
    return deleted, unshown


def blank_quotes(connection: Connection, person: str, words: Callable[[str], str], places: Collection[str] | None = None) -> None:
    """Put `words` (of a language, BCP 47) in the place of what this person (key) is quoted with: in these places, or anywhere."""
    language = select(JobRow.settings).where(JobRow.question == MessageRow.id).order_by(JobRow.id).limit(1).scalar_subquery()
    found = connection.execute(select(MessageRow.id, MessageRow.text, language).where(_quoted(person, places))).all()
    for message, text, settings in found:
        _, gap, question = text.partition("\n\n")
        told: dict[str, Any] = settings or {}
        blanked = f"> {words(told.get('language', 'en'))}{gap}{question}"
        connection.execute(update(MessageRow).where(MessageRow.id == message).values(text=blanked, quoted=None))


def count_quotes(connection: Connection, person: str, places: Collection[str] | None = None) -> int:
    """In how many questions this person is quoted."""
    return connection.scalar(select(func.count()).select_from(MessageRow).where(_quoted(person, places))) or 0


def _quoted(person: str, places: Collection[str] | None) -> ColumnElement[bool]:
    quoted = MessageRow.quoted == person
    return quoted if places is None else and_(quoted, MessageRow.place.in_(places))
