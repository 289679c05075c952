"""The message graph: every message has at most one parent, so that a path to the root is one conversation's branch.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, and_, bindparam, delete, or_, select, update
from sqlalchemy.orm import aliased

from bot.message import Author, Picture, Place
from bot.store.database import insert
from bot.store.tables import DeliveryRow, MessagePictureRow, MessageRow, PersonRow, PictureRow, PlaceRow, PointerRow, Row

SHARED = ""  # whose pointer the common conversation of a place has
OVERTAKING_SECONDS = 300.0  # a question with slow files may be stored so much later than one that came after it


@dataclass(frozen=True, slots=True)
class Node:
    """A stored message, with what a message that follows it inherits."""

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
    seconds: tuple[float | None, ...] = ()  # of those that are frames of films; empty: none is
    spoiler: bool = False
    footer: str = ""
    unseen: bool = False
    quoted: str | None = None  # whose words (key) stand quoted at the head of `text`
    look: Mapping[str, Any] | None = None  # MessageRow.look


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a branch: of the way from the first message of a conversation to one of its last."""

    id: int
    conversation: str
    person: str
    role: str
    text: str
    finish: str | None
    spoiler: bool
    sha256s: tuple[str, ...]
    media_types: tuple[str, ...] = ()  # of these pictures
    seconds: tuple[float | None, ...] = ()  # of those that are frames of films: when each is shown
    words: tuple[str | None, ...] = ()  # that are written in them (PictureRow.words)
    regions: tuple[str | None, ...] = ()  # of those that are parts of another picture (MessagePictureRow.region); they are the last ones
    sizes: tuple[tuple[int, int], ...] = ()  # width and height in pixels
    look: Mapping[str, Any] | None = None  # MessageRow.look

    @property
    def shown(self) -> int:
        """How many of its pictures a person showed: the first ones. The others are parts of pictures."""
        return sum(region is None for region in self.regions) if self.regions else len(self.sha256s)


@dataclass(frozen=True, slots=True)
class Quoted:
    """A question that others can't see on the platform (such as a native command), as it is quoted above its answer."""

    asker: str  # their name
    text: str
    sha256: str | None  # of the picture that it is about
    follows: str | None  # the platform's id of the message that it goes on from: an answer's, or the one that shows the picture


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is stored; `finish` None: not finished."""

    text: str
    finish: str | None
    footer: str
    spoiler: bool
    reply_to: str | None  # the question's id on the platform
    place: Place
    quoted: Quoted | None = None  # where the question can't be seen
    trace: Mapping[str, Any] | None = None  # MessageRow.trace
    look: Mapping[str, Any] | None = None  # MessageRow.look


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with its question: what the buttons under it act on."""

    answer: int
    conversation: str
    person: str  # who asked
    finish: str | None
    spoiler: bool
    question: int
    text: str  # of the question


def introduce(connection: Connection, place: Place, author: Author) -> None:
    """Store a place and a person under their names of now."""
    keep_place(connection, place)
    connection.execute(_keep(connection.dialect.name, PersonRow), {"key": author.key, "name": author.name})


def keep_place(connection: Connection, place: Place) -> None:
    where = {"platform": place.platform, "channel": place.channel, "thread": place.thread, "server": place.server, "private": place.private}
    connection.execute(_keep(connection.dialect.name, PlaceRow), {"key": place.key, **where})


def place_of(row: Any) -> Place:
    """From a row that holds a place's columns."""
    return Place(row.platform, row.channel, row.thread, row.server, row.private)


def add_pictures(connection: Connection, pictures: Iterable[Picture], at: float) -> None:
    rows = [
        {"sha256": p.sha256, "media_type": p.media_type, "width": p.width, "height": p.height, "size": len(p.data), "at": at}
        for p in pictures
    ]
    if rows:
        connection.execute(insert(connection.dialect.name, PictureRow).on_conflict_do_nothing(), rows)


def add(connection: Connection, message: NewMessage) -> int | None:
    """The new message's id; None when the platform's message is stored already."""
    row = {
        "place": message.place,
        "platform_id": message.platform_id,
        "parent": message.parent,
        "conversation": message.conversation,
        "person": message.person,
        "role": message.role,
        "text": message.text,
        "footer": message.footer,
        "spoiler": message.spoiler,
        "at": message.at,
        "unseen": message.unseen,
        "quoted": message.quoted,
        "look": message.look,
    }
    new: int | None = connection.scalar(_add(connection.dialect.name), row)
    if new is not None and message.sha256s:
        links = [
            {"message": new, "position": n, "sha256": sha256, "seconds": message.seconds[n] if message.seconds else None}
            for n, sha256 in enumerate(message.sha256s)
        ]
        connection.execute(insert(connection.dialect.name, MessagePictureRow), links)
    return new


def find(connection: Connection, place: str, platform_id: str) -> Node | None:
    """The message with this id on the platform: a person's, or an answer by the id of any of its parts."""
    row = connection.execute(_FIND, {"where": place, "name": platform_id}).first()
    return Node(*row) if row else None


def parent_of(connection: Connection, message: int) -> Node | None:
    """The parent of a stored message; None: it begins its conversation."""
    row = connection.execute(_PARENT, {"message": message}).first()
    return Node(*row) if row else None


def numbered(connection: Connection, place: str, number: int) -> Node | None:
    """The message of this id, if it was written in this place."""
    row = connection.execute(_NUMBERED, {"where": place, "number": number}).first()
    return Node(*row) if row else None


def newest(connection: Connection, place: str, person: str, since: float) -> Node | None:
    """The newest message of the place's common conversation (`person` SHARED) or of a person's own, if it is from after `since`."""
    row = connection.execute(_NEWEST, {"where": place, "whose": person, "since": since}).first()
    return Node(*row) if row else None


def point(connection: Connection, place: str, persons: Sequence[str], message: int, at: float, waited: float = 0.0) -> None:
    """Let the next message of these persons here continue at `message`; not if a message that came later was stored before this one.

    It came at `at`, in Unix seconds, `waited` seconds ago by a clock that nobody sets.
    """
    rows = [{"place": place, "person": person, "message": message, "at": at, "now": at + waited} for person in persons]
    connection.execute(_point(connection.dialect.name), rows)


def unpoint(connection: Connection, place: str, persons: Sequence[str]) -> None:
    """Let the next message of these persons here start a conversation."""
    connection.execute(delete(PointerRow).where(PointerRow.place == place, PointerRow.person.in_(persons)))


def branch(connection: Connection, leaf: int) -> tuple[Turn, ...]:
    """The messages from the first of the conversation to `leaf`, both included."""
    rows = connection.execute(_BRANCH, {"leaf": leaf}).all()
    pictures: dict[int, list[Any]] = {}
    for shown in connection.execute(_TYPED_PICTURES, {"messages": [row.id for row in rows if row.role == "user"]}):
        pictures.setdefault(shown.message, []).append(shown)
    return tuple(_turn(row, pictures.get(row.id, ())) for row in rows)


def _turn(row: Any, pictures: Collection[Any]) -> Turn:
    sha256s, media_types = tuple(shown.sha256 for shown in pictures), tuple(shown.media_type for shown in pictures)
    seconds, words = tuple(shown.seconds for shown in pictures), tuple(shown.words for shown in pictures)
    regions, sizes = tuple(shown.region for shown in pictures), tuple((shown.width, shown.height) for shown in pictures)
    said = (row.id, row.conversation, row.person, row.role, row.text, row.finish, row.spoiler)
    return Turn(*said, sha256s, media_types, seconds, words, regions, sizes, row.look)


def pictures_of(connection: Connection, messages: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The pictures (sha256) that people showed in these messages."""
    found: dict[int, tuple[str, ...]] = {}
    for message, sha256 in connection.execute(_PICTURES, {"messages": list(messages)}):
        found[message] = (*found.get(message, ()), sha256)
    return found


def answer(connection: Connection, message: int) -> Answer | None:
    """An answer with what showing it needs; None: it was deleted."""
    row = connection.execute(_ANSWER, {"answer": message}).first()
    if row is None:
        return None
    quoted = _quoted(connection, row.question, row.person) if row.unseen else None
    return Answer(row.text, row.finish, row.footer, row.spoiler, row.platform_id, place_of(row), quoted, row.trace, row.look)


def _quoted(connection: Connection, question: int, asker: str) -> Quoted:
    """The question as its person wrote it: the one before a pressed Continue, not the bot's words for that."""
    way = branch(connection, question)
    numbers = [turn.id for turn in way]
    asked = select(MessageRow.text).where(MessageRow.id.in_(numbers), MessageRow.role == "user", MessageRow.platform_id.is_not(None))
    text = connection.scalar(asked.order_by(MessageRow.id.desc()).limit(1)) or ""
    picture = next((turn.sha256s[0] for turn in reversed(way) if turn.shown), None)
    return Quoted(name_of(connection, asker), text, picture, _shown_as(connection, numbers[-2]) if len(numbers) > 1 else None)


def _shown_as(connection: Connection, message: int) -> str | None:
    """The platform's id of a message; of an answer, of its last part."""
    parts = select(DeliveryRow.platform_id).where(DeliveryRow.message == message, DeliveryRow.platform_id.is_not(None))
    last = connection.scalar(parts.order_by(DeliveryRow.id.desc()).limit(1))
    return last or connection.scalar(select(MessageRow.platform_id).where(MessageRow.id == message))


def asked(connection: Connection, place: str, answer: int | None, person: str) -> Asked | None:
    """An answer of this place by its id; with None, the newest one to this person here."""
    question = aliased(MessageRow)
    columns = (MessageRow.id, MessageRow.conversation, MessageRow.person, MessageRow.finish, MessageRow.spoiler, question.id, question.text)
    found = select(*columns).join(question, question.id == MessageRow.parent)
    found = found.where(MessageRow.place == place, MessageRow.role == "assistant")
    found = found.where(MessageRow.person == person if answer is None else MessageRow.id == answer)
    row = connection.execute(found.order_by(MessageRow.id.desc()).limit(1)).first()
    return Asked(*row) if row else None


def reword(connection: Connection, question: int, text: str, quoted: str | None) -> bool:
    """Change the text of a message, and whom it quotes (key); whether the text differs from before."""
    changed = update(MessageRow).where(MessageRow.id == question, MessageRow.text != text).values(text=text, quoted=quoted)
    return connection.execute(changed).rowcount == 1


def pictures_in(connection: Connection, message: int) -> tuple[str, ...]:
    """The sha256 of the pictures that a person showed in one message, in order."""
    shown = select(MessagePictureRow.sha256).where(MessagePictureRow.message == message, MessagePictureRow.region.is_(None))
    shown = shown.order_by(MessagePictureRow.position)
    return tuple(connection.scalars(shown))


def show_instead(connection: Connection, message: int, sha256: str) -> None:
    """Replace the one picture of a message."""
    connection.execute(update(MessagePictureRow).where(MessagePictureRow.message == message).values(sha256=sha256))


def drop(connection: Connection, message: int) -> None:
    """Delete one message, with its job and with what is known of its deliveries."""
    connection.execute(delete(MessageRow).where(MessageRow.id == message))


def words_in(connection: Connection, sha256: str) -> str | None:
    """The words in a picture, empty where there are none; None: it was not read yet."""
    return connection.scalar(select(PictureRow.words).where(PictureRow.sha256 == sha256))


def keep_words(connection: Connection, sha256: str, words: str) -> None:
    """Keep what was read in a picture; of one that was forgotten meanwhile nothing is kept."""
    connection.execute(update(PictureRow).where(PictureRow.sha256 == sha256).values(words=words))


def keep_extras(connection: Connection, answer: int, extras: Mapping[str, Any]) -> None:
    """Store what few answers have: columns of MessageRow by their names, `trace` and `look`."""
    connection.execute(update(MessageRow).where(MessageRow.id == answer).values(extras))


def all_pictures(connection: Connection) -> set[str]:
    """The sha256 of every picture that is kept."""
    return set(connection.scalars(select(PictureRow.sha256)))


def name_of(connection: Connection, person: str) -> str:
    return connection.scalar(select(PersonRow.name).where(PersonRow.key == person)) or ""


# Built once: for a question, building statements would take longer than running them.
_NODES = select(MessageRow.id, MessageRow.conversation, MessageRow.person, MessageRow.spoiler)
_NUMBERED = _NODES.where(MessageRow.place == bindparam("where"), MessageRow.id == bindparam("number"))
_NEWEST = _NODES.join(PointerRow, PointerRow.message == MessageRow.id).where(
    PointerRow.place == bindparam("where"), PointerRow.person == bindparam("whose"), PointerRow.at >= bindparam("since")
)
_CHILD = aliased(MessageRow)
_PARENT = _NODES.join(_CHILD, _CHILD.parent == MessageRow.id).where(_CHILD.id == bindparam("message"))
_DELIVERED = select(DeliveryRow.message).where(DeliveryRow.place == bindparam("where"), DeliveryRow.platform_id == bindparam("name"))
_FIND = _NODES.where(
    MessageRow.place == bindparam("where"),
    or_(MessageRow.platform_id == bindparam("name"), MessageRow.id == _DELIVERED.scalar_subquery()),
)
_WALK = select(MessageRow.id, MessageRow.parent).where(MessageRow.id == bindparam("leaf")).cte("walk", recursive=True)
_WALK = _WALK.union_all(select(MessageRow.id, MessageRow.parent).join(_WALK, MessageRow.id == _WALK.c.parent))
_BRANCH = (
    select(
        MessageRow.id,
        MessageRow.conversation,
        MessageRow.person,
        MessageRow.role,
        MessageRow.text,
        MessageRow.finish,
        MessageRow.spoiler,
        MessageRow.look,
    )
    .join(_WALK, MessageRow.id == _WALK.c.id)
    .order_by(MessageRow.id)  # a child is always stored after its parent: the order of ids is the order of the branch
)
_SEEN = (
    select(MessagePictureRow.message, MessagePictureRow.sha256)
    .where(MessagePictureRow.message.in_(bindparam("messages", expanding=True)))
    .order_by(MessagePictureRow.message, MessagePictureRow.position)
)
_PICTURES = _SEEN.where(MessagePictureRow.region.is_(None))
_TYPED_PICTURES = _SEEN.join(PictureRow, PictureRow.sha256 == MessagePictureRow.sha256).add_columns(
    PictureRow.media_type, PictureRow.words, PictureRow.width, PictureRow.height, MessagePictureRow.seconds, MessagePictureRow.region
)
_QUESTION = aliased(MessageRow)
_ANSWER = (
    select(
        MessageRow.text,
        MessageRow.finish,
        MessageRow.footer,
        MessageRow.spoiler,
        MessageRow.person,
        MessageRow.trace,
        MessageRow.look,
        _QUESTION.platform_id,
        _QUESTION.id.label("question"),
        _QUESTION.unseen,
        PlaceRow,
    )
    .outerjoin(_QUESTION, _QUESTION.id == MessageRow.parent)
    .join(PlaceRow, PlaceRow.key == MessageRow.place)
    .where(MessageRow.id == bindparam("answer"))
)


@cache
def _keep(dialect: str, table: type[Row]) -> Executable:
    """Insert a row, or change the row with its key."""
    statement = insert(dialect, table)
    new = {column.name: column for column in statement.excluded if column.name != "key"}
    return statement.on_conflict_do_update(index_elements=["key"], set_=new)


@cache
def _add(dialect: str) -> Executable:
    return insert(dialect, MessageRow).on_conflict_do_nothing().returning(MessageRow.id)


@cache
def _point(dialect: str) -> Executable:
    statement = insert(dialect, PointerRow)
    new = {"message": statement.excluded.message, "at": statement.excluded.at}
    # A pointer that is ahead of the clock was not overtaken: the clock was set back. So it was where it is far ahead of this message.
    ahead = and_(PointerRow.at > statement.excluded.at, PointerRow.at < statement.excluded.at + OVERTAKING_SECONDS)
    overtaken = and_(ahead, PointerRow.at <= bindparam("now"))
    return statement.on_conflict_do_update(index_elements=["place", "person"], set_=new, where=~overtaken)
