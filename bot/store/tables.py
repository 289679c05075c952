"""The tables, once: every query and the migrations' check read them here.

Times are Unix seconds (UTC). A key is a platform's id with the platform in front (bot/message.py).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, MetaData, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite gives out row numbers only for a column declared INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

# A button names an answer for as long as it is shown: the number of a deleted row is never given out again.
LASTING_ID = {"sqlite_autoincrement": True}


class Finish(StrEnum):
    """How an answer ended."""

    STOP = "stop"
    LENGTH = "length"  # ran into its token limit: it can be continued
    STOPPED = "stopped"  # by a person
    FAILED = "failed"  # `text` is what the person is told


class JobState(StrEnum):
    """A job's way: waiting → running → answered → done. A crash leads from running back to waiting."""

    WAITING = "waiting"
    RUNNING = "running"
    ANSWERED = "answered"  # the answer is committed; its delivery is owed
    DONE = "done"


class Row(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


class PlaceRow(Row):
    """A place as the adapter described it last, so that an answer finds its way after a restart."""

    __tablename__ = "place"

    key: Mapped[str] = mapped_column(primary_key=True)
    platform: Mapped[str]
    channel: Mapped[str]
    thread: Mapped[str | None]
    server: Mapped[str | None]
    private: Mapped[bool]


class PersonRow(Row):
    __tablename__ = "person"

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class PictureRow(Row):
    """What the file named by `sha256` holds."""

    __tablename__ = "picture"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]  # bytes
    at: Mapped[float]


class MessageRow(Row):
    """A node of the message graph: a question, an answer, or a message that was replied to."""

    __tablename__ = "message"
    __table_args__ = (UniqueConstraint("place", "platform_id"), Index(None, "place", "id"), LASTING_ID)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    place: Mapped[str] = mapped_column(ForeignKey("place.key"))
    platform_id: Mapped[str | None]  # None: an answer (its deliveries have ids) or a pressed button
    parent: Mapped[int | None] = mapped_column(Id, ForeignKey("message.id", ondelete="SET NULL"), index=True)
    conversation: Mapped[str]  # the same along every branch; the engine's prompt_cache_key
    person: Mapped[str] = mapped_column(ForeignKey("person.key"), index=True)  # who wrote it; of an answer: who asked
    role: Mapped[str]  # user, assistant
    text: Mapped[str]
    finish: Mapped[str | None]  # Finish; None: a person's message, or an answer that is not finished
    footer: Mapped[str]
    spoiler: Mapped[bool]
    at: Mapped[float]
    unseen: Mapped[bool] = mapped_column(server_default=false())  # a question that nobody can see where it was asked
    title: Mapped[str | None]  # of a conversation's first message: how its person named it; goes with the message


class MessagePictureRow(Row):
    __tablename__ = "message_picture"

    message: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("picture.sha256"), index=True)


class PointerRow(Row):
    """The newest message of the place's conversation (`person` empty) and of each person's own there."""

    __tablename__ = "pointer"

    place: Mapped[str] = mapped_column(ForeignKey("place.key"), primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    message: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), index=True)
    at: Mapped[float]  # of the last question; the idle window counts from here


class SettingRow(Row):
    __tablename__ = "setting"

    scope: Mapped[str] = mapped_column(primary_key=True)  # person, channel, server
    key: Mapped[str] = mapped_column(primary_key=True)  # of the person, channel or server
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    set_by: Mapped[str]
    at: Mapped[float]


class JobRow(Row):
    """One answer to make and to deliver. Written in the transaction that stores the question."""

    __tablename__ = "job"
    __table_args__ = (Index(None, "state", "id"), LASTING_ID)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    answer: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), unique=True)
    question: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), index=True)
    platform: Mapped[str]
    place: Mapped[str] = mapped_column(ForeignKey("place.key"))
    channel: Mapped[str]  # fairness shares between channels, then between people
    person: Mapped[str]
    state: Mapped[str]  # JobState
    cost: Mapped[int]  # tokens expected, beams counted n-fold
    beams: Mapped[int]  # rows that it takes on an engine
    varied: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # a comparison: the setting and the values to answer with
    settings: Mapped[dict[str, Any]] = mapped_column("knobs", JSON, key="settings")  # as they were when it was asked
    attempts: Mapped[int] = mapped_column("losses", key="attempts")  # how often an engine, or the bot itself, went away under it
    owner: Mapped[str | None]  # the bot that was asked, or took it over; it makes the answer and delivers it
    heartbeat: Mapped[float | None]  # of the owner; old = the owner is dead
    cancelled: Mapped[bool]
    at: Mapped[float]
    started: Mapped[float | None]
    ended: Mapped[float | None]  # when the answer was committed


class EventRow(Row):
    """A command, or a message that was refused: it is dealt with once, however often the platform offers it."""

    __tablename__ = "event"

    place: Mapped[str] = mapped_column(ForeignKey("place.key"), primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)  # the platform's id, unique in its place
    owner: Mapped[str]  # the bot that owes the reply
    reply: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # None: said, or nothing to say
    at: Mapped[float] = mapped_column(index=True)


class DeliveryRow(Row):
    """One message on a platform. Written before it is sent: no id = nobody knows whether the send went through."""

    __tablename__ = "delivery"
    __table_args__ = (UniqueConstraint("message", "part"), UniqueConstraint("place", "platform_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    message: Mapped[int | None] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"))  # None = a notice
    part: Mapped[int]  # 0 … of a split answer
    place: Mapped[str] = mapped_column(ForeignKey("place.key"))
    nonce: Mapped[str]
    platform_id: Mapped[str | None]
    repeats: Mapped[int]  # sends beyond the first, each after an outcome that a kill left unknown
    at: Mapped[float]


class UpdateRow(Row):
    """An update as a platform told it, which is confirmed there: still to be dealt with, or nobody could read it."""

    __tablename__ = "kept_update"

    platform: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)  # the bot that was told
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # the platform's
    raw: Mapped[str]  # JSON
    fault: Mapped[str]  # why it can't be read; empty: it waits
    at: Mapped[float] = mapped_column(index=True)


class TicketRow(Row):
    """What a platform gave with a command, to answer it by until `until`."""

    __tablename__ = "ticket"

    place: Mapped[str] = mapped_column(ForeignKey("place.key"), primary_key=True)
    event: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    until: Mapped[float] = mapped_column(index=True)


class AnswerColumnRow(Row):
    """One column of a comparison. The answer's own text holds them all, for whatever knows no columns."""

    __tablename__ = "answer_column"

    answer: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]
    text: Mapped[str]


class VoteRow(Row):
    """What a person likes: an answer, or one column of a comparison. One vote a person and answer."""

    __tablename__ = "vote"

    answer: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]  # of the column; 0 where there is one answer
    at: Mapped[float]


class DemoRow(Row):
    """A demonstration in one channel. `code` opens its wall to readers, `key` lets the presenter hide and export."""

    __tablename__ = "demo"
    __table_args__ = (LASTING_ID,)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(index=True)
    presenter: Mapped[str]
    code: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str]
    prompt: Mapped[str]
    slow_seconds: Mapped[float]  # between two pictures of one person
    language: Mapped[str]
    started: Mapped[float]
    ended: Mapped[float | None]


class HiddenRow(Row):
    """A question that the presenter does not want on the wall."""

    __tablename__ = "hidden"

    question: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
