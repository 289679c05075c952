"""The tables, declared once, with a comment on what always holds for each column; a test compares the migrations with them.

Times are Unix seconds (UTC). A key is a platform's id with the platform's name in front, such as `discord:42` (bot/message.py).
"The bot" that owns a row is the name of one of the bots that share the database.
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
    """How an answer ended. It is set once, together with the answer's text."""

    STOP = "stop"  # the model was done
    LENGTH = "length"  # it ran into its token limit: it can be continued
    STOPPED = "stopped"  # a person stopped it: the text is as far as it had come, perhaps empty
    FAILED = "failed"  # there is no answer: the text tells the person why, and the model is never shown it


class JobState(StrEnum):
    """A job's way: waiting → running → answered → done. Only a lost engine or bot leads back, from running to waiting.

    A job that is stopped while it waits goes straight to answered.
    """

    WAITING = "waiting"  # in the queue: no engine works on it, and its answer has no text and no `finish`
    RUNNING = "running"  # its owner streams the answer from an engine; its answer has no text and no `finish` yet
    ANSWERED = "answered"  # the answer's text and `finish` are stored; its owner still has to show the end of it
    DONE = "done"  # the end of the answer is shown, or can't be: nothing is left to do


class Row(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


class BotRow(Row):
    """One of the bots that share the database. Bots of versions before this table have no row, and are never taken for dead by it."""

    __tablename__ = "bot"

    name: Mapped[str] = mapped_column(primary_key=True)  # of its data folder (adapters/process_names.py)
    heartbeat: Mapped[float]  # when it last said that it lives, by the database's clock


class EngineRow(Row):
    """An engine that a bot asks, or asked: whatever is deleted is owed to it (OwedForgetRow). Goes when its bot has not had it for long."""

    __tablename__ = "engine"

    owner: Mapped[str] = mapped_column(primary_key=True)  # the bot
    name: Mapped[str] = mapped_column(primary_key=True)  # its address without credentials; one of the bot's own is named after the bot
    at: Mapped[float]  # when the bot last ran with it


class OwedForgetRow(Row):
    """What one engine is still to forget. Stored with the deletion itself; goes when that engine has confirmed it to that bot."""

    __tablename__ = "owed_forget"
    __table_args__ = (Index(None, "owner", "engine"), LASTING_ID)

    id: Mapped[int] = mapped_column(Id, primary_key=True)  # never given out again; grows in the order of deleting
    owner: Mapped[str]  # the bot that is to tell it, which knows what the engine works on for it
    engine: Mapped[str]  # EngineRow.name
    sha256s: Mapped[list[str]] = mapped_column(JSON)  # of the pictures; empty: words alone, of which an engine keeps prompts
    at: Mapped[float]  # when it was deleted; the same in all rows of one deletion, and in no others
    told: Mapped[bool]  # some bot told this engine; what this bot's answers left behind since then is still to go


class PlaceRow(Row):
    """A place as the adapter described it last, so that an answer finds its way after a restart."""

    __tablename__ = "place"

    key: Mapped[str] = mapped_column(primary_key=True)  # Place.key: of the thread where there is one, else of the channel
    platform: Mapped[str]  # its name: discord, telegram, web, terminal
    channel: Mapped[str]  # the platform's id of the channel, or of the channel that a thread belongs to
    thread: Mapped[str | None]  # the platform's id of the thread or topic; None: the channel itself
    server: Mapped[str | None]  # the platform's id of the Discord guild; None: a private chat, or a platform without servers
    private: Mapped[bool]  # one person alone with the bot


class PersonRow(Row):
    """Somebody who wrote to the bot, or whose picture was asked about."""

    __tablename__ = "person"

    key: Mapped[str] = mapped_column(primary_key=True)  # Author.key
    name: Mapped[str]  # as they were called when they last asked; empty: unknown, or they had the bot forget them


class PictureRow(Row):
    """A picture that a message shows. Its bytes lie in the file of that name (store/pictures.py), which is saved before this row."""

    __tablename__ = "picture"

    sha256: Mapped[str] = mapped_column(primary_key=True)  # of the bytes of the file, 64 hexadecimal digits
    media_type: Mapped[str]  # image/png or image/jpeg: whatever came in was decoded and encoded anew
    width: Mapped[int]  # pixels of the stored picture, not of what came in
    height: Mapped[int]  # pixels
    size: Mapped[int]  # bytes of the file
    at: Mapped[float]  # when it was shown first; showing it again changes nothing
    words: Mapped[str | None]  # what is written in it, as /read shows it; empty: nothing; None: it was not read yet


class MessageRow(Row):
    """A node of the message graph: a question, an answer, or a message that was replied to. Its parent has a smaller id, so that there
    are no circles. A message of a platform is stored once, whatever is offered again (`place`, `platform_id`)."""

    __tablename__ = "message"
    __table_args__ = (UniqueConstraint("place", "platform_id"), Index(None, "place", "id"), LASTING_ID)

    id: Mapped[int] = mapped_column(Id, primary_key=True)  # never given out again; greater than its parent's
    place: Mapped[str] = mapped_column(ForeignKey("place.key"))  # where it was written
    platform_id: Mapped[str | None]  # None: an answer (its deliveries have ids), or a button pressed to continue one
    # What it replies to or continues. None: it begins a conversation, or what it replied to was deleted.
    parent: Mapped[int | None] = mapped_column(Id, ForeignKey("message.id", ondelete="SET NULL"), index=True)
    conversation: Mapped[str]  # a random key that all branches from one first message share; the engine's prompt_cache_key
    person: Mapped[str] = mapped_column(ForeignKey("person.key"), index=True)  # who wrote it; of an answer: who asked for it
    role: Mapped[str]  # user, assistant
    text: Mapped[str]  # of an answer: empty until `finish` is set, and final then; of a picture that was replied to: empty
    finish: Mapped[str | None]  # Finish; None: a person's message, or an answer that is not finished
    footer: Mapped[str]  # of an answer: the small line below it; empty for a person's message
    spoiler: Mapped[bool]  # its picture was hidden, or that of what it follows: the answer is hidden, too
    at: Mapped[float]  # when it was stored
    unseen: Mapped[bool] = mapped_column(server_default=false())  # a question that nobody can see where it was asked
    quoted: Mapped[str | None] = mapped_column(index=True)  # the key of whoever said what stands quoted at the head of `text`
    title: Mapped[str | None]  # of a conversation's first message: how its person named it; goes with the message
    # Of a question: how its picture is to be looked at, where that was asked for ("region": regions.py; "steps": true;
    # "find": of what; "frames": of a film, how many); of an answer that says where things are: what is still to be shown of that
    # (looking/places.py); else None.
    look: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    # Of an answer in steps: its program and what each step gave (steps/trace.py), as it is shown; None: it took none.
    trace: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class MessagePictureRow(Row):
    """A picture in a person's message. A picture without such a row is deleted with its file."""

    __tablename__ = "message_picture"

    message: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)  # a person's
    position: Mapped[int] = mapped_column(primary_key=True)  # in the message, from 0
    sha256: Mapped[str] = mapped_column(ForeignKey("picture.sha256"), index=True)  # which picture
    seconds: Mapped[float | None]  # of a film's frame: when it is shown; frames follow each other, each film begins with a lower one
    # Of a part of a picture, with which the question is looked at closer: which picture's, and which part. None: a person showed it.
    part_of: Mapped[str | None] = mapped_column(index=True)  # its sha256; the row goes when that picture does
    # regions.py: `Region.stored`; of an answer's only picture "sheet": what its steps looked at (steps/sheet.py), not shown to models.
    region: Mapped[str | None]


class PointerRow(Row):
    """Where the next message continues that replies to nothing: in the common conversation of a place, or in a person's own there.

    A conversation that was reset has no row.
    """

    __tablename__ = "pointer"

    place: Mapped[str] = mapped_column(ForeignKey("place.key"), primary_key=True)  # whose conversation
    person: Mapped[str] = mapped_column(primary_key=True)  # a person's key; empty: the common conversation of the place
    message: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), index=True)  # the answer to the newest question
    at: Mapped[float]  # when that question came; the idle window counts from here, and an overtaken question does not set it back


class SettingRow(Row):
    """One value that somebody set for themselves, a channel or a server. What nobody set has no row."""

    __tablename__ = "setting"

    scope: Mapped[str] = mapped_column(primary_key=True)  # store.settings.Scope: person, channel (threads too), server
    key: Mapped[str] = mapped_column(primary_key=True)  # of the person, channel, thread or server; `*`: policies for everywhere
    name: Mapped[str] = mapped_column(primary_key=True)  # in answer_settings.SETTINGS, or `rules` or `opened`
    value: Mapped[Any] = mapped_column(JSON)  # within the setting's range when it was set; caps are applied when it is read
    set_by: Mapped[str]  # the person's key
    at: Mapped[float]  # when it was set last


class JobRow(Row):
    """One answer to make and to deliver, stored in the transaction that stores the question. It goes with its question or its answer.

    Moves from `waiting` to `running` and from `running` to `answered` are updates that name the state before: two bots never both win.
    """

    __tablename__ = "job"
    __table_args__ = (Index(None, "state", "id"), LASTING_ID)

    id: Mapped[int] = mapped_column(Id, primary_key=True)  # never given out again; grows in the order of asking
    answer: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), unique=True)  # the message to fill
    question: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), index=True)  # the answer's parent
    platform: Mapped[str]  # of `place`: only a bot that is connected to it starts or delivers the job
    place: Mapped[str] = mapped_column(ForeignKey("place.key"))  # where it was asked
    channel: Mapped[str]  # Place.channel_key of `place`: the queue is fair between channels, then between people
    person: Mapped[str]  # the key of who asked
    state: Mapped[str]  # JobState
    cost: Mapped[int]  # expected tokens of prompt and answer, beams counted n-fold, columns of a comparison added up; at least 1
    beams: Mapped[int]  # rows that it takes on an engine: its beams, added up over the columns of a comparison; at least 1
    varied: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # a comparison's VariedSetting: the setting and its values; else None
    settings: Mapped[dict[str, Any]] = mapped_column("knobs", JSON, key="settings")  # AnswerSettings as they were when it was asked
    # How often its bot died while it made the answer. It only grows; after dispatcher.MAX_ATTEMPTS and an hour the answer fails.
    attempts: Mapped[int] = mapped_column("losses", key="attempts")
    owner: Mapped[str | None]  # the bot that was asked or took it over: it makes and delivers the answer; None: rows of old versions
    heartbeat: Mapped[float | None]  # when the owner last said that it lives, by the database's clock, for jobs that are not done
    cancelled: Mapped[bool]  # somebody asked to stop it while it ran, and its answer is not stored yet
    at: Mapped[float]  # when it was stored
    started: Mapped[float | None]  # when it was last moved to `running`; None: never
    ended: Mapped[float | None]  # when the answer was stored; None: not yet, or stopped while it waited


class EventRow(Row):
    """A command, or a message that was refused: it is dealt with once, however often the platform offers it. Rows go after two days."""

    __tablename__ = "event"

    place: Mapped[str] = mapped_column(ForeignKey("place.key"), primary_key=True)  # where it happened
    event: Mapped[str] = mapped_column(primary_key=True)  # the platform's id, unique in its place
    owner: Mapped[str]  # the bot that replies to it
    reply: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # an Outgoing not known to be sent; None: sent, or none
    at: Mapped[float] = mapped_column(index=True)  # when it was dealt with


class DeliveryRow(Row):
    """One message that the bot sends to a platform. The row is stored before the send, its id after it: after a restart a row without
    an id is a send whose outcome nobody knows."""

    __tablename__ = "delivery"
    __table_args__ = (UniqueConstraint("message", "part"), UniqueConstraint("place", "platform_id"))

    id: Mapped[int] = mapped_column(Id, primary_key=True)  # grows in the order of sending
    message: Mapped[int | None] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"))  # the answer; None: a reply of our own
    part: Mapped[int]  # which message of a split answer, from 0; of a split reply of our own, too
    place: Mapped[str] = mapped_column(ForeignKey("place.key"))  # where it is sent
    nonce: Mapped[str]  # at most 25 characters, the same for every try: Discord shows such sends once
    platform_id: Mapped[str | None]  # unique in its place; None: not sent yet, or nobody knows
    repeats: Mapped[int]  # sends beyond the first, each after an outcome that a kill left unknown
    at: Mapped[float]  # when the first send was stored


class UpdateRow(Row):
    """An update that was confirmed to its platform, which offers it no more: it waits to be dealt with, or nobody could read it."""

    __tablename__ = "kept_update"

    platform: Mapped[str] = mapped_column(primary_key=True)  # its name
    owner: Mapped[str] = mapped_column(primary_key=True)  # the bot that received it and deals with it
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # the platform's own; it grows
    raw: Mapped[str]  # JSON, as the platform sent it
    fault: Mapped[str]  # why it can't be read: it is kept for the operator to look at; empty: it waits
    at: Mapped[float] = mapped_column(index=True)  # when it came


class TicketRow(Row):
    """What a platform gave with a command to reply to it by, such as Discord's interaction token. Kept so that a restart can reply."""

    __tablename__ = "ticket"

    place: Mapped[str] = mapped_column(ForeignKey("place.key"), primary_key=True)  # where the command was given
    event: Mapped[str] = mapped_column(primary_key=True)  # the platform's id of the command, unique in its place
    data: Mapped[dict[str, Any]] = mapped_column(JSON)  # the adapter's own
    until: Mapped[float] = mapped_column(index=True)  # the platform takes no reply after this; rows go then


class SeenRow(Row):
    """How far a channel was read: every event up to `event` is dealt with. Only of channels where somebody spoke to the bot."""

    __tablename__ = "seen"

    owner: Mapped[str] = mapped_column(primary_key=True)  # the bot that read it
    place: Mapped[str] = mapped_column(ForeignKey("place.key"), primary_key=True)  # a channel, or a thread of one
    event: Mapped[str]  # the platform's id, which grows with time
    at: Mapped[float] = mapped_column(index=True)  # when this was written; old = a channel where nobody speaks


class RecentPictureRow(Row):
    """A message with pictures of the last minutes, for questions that may mean them. The pictures themselves are not kept."""

    __tablename__ = "recent_picture"

    owner: Mapped[str] = mapped_column(primary_key=True)  # the bot that saw it: its references may be no other's
    place: Mapped[str] = mapped_column(primary_key=True)  # the place's key: where the message was seen
    message_id: Mapped[str] = mapped_column(primary_key=True)  # the platform's own, once a place
    person: Mapped[str]  # the key of whoever sent it: `/forget` deletes by it
    name: Mapped[str]  # of that person, as shown then: for "Which picture?"
    at: Mapped[float] = mapped_column(index=True)  # when it was sent
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # each attachment without its bytes
    asked: Mapped[bool]  # somebody asked the bot about it


class AnswerColumnRow(Row):
    """One column of a comparison, stored with the answer. The answer's own text holds all columns, for whatever knows none."""

    __tablename__ = "answer_column"

    answer: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)  # the message of the answer
    position: Mapped[int] = mapped_column(primary_key=True)  # from 0, in the order of the values
    label: Mapped[str]  # the value of the varied setting, as people read it
    text: Mapped[str]  # what was answered with this value, whole


class VoteRow(Row):
    """What a person likes: an answer, or one column of a comparison. One vote a person and answer; taken back, the row goes."""

    __tablename__ = "vote"

    answer: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)  # a finished one
    person: Mapped[str] = mapped_column(primary_key=True)  # the key of who voted
    position: Mapped[int]  # of the column; 0 where the answer has none
    at: Mapped[float]  # when the vote was cast or moved


class DemoRow(Row):
    """A demonstration: a span of time in one channel. At most one runs in a channel."""

    __tablename__ = "demo"
    __table_args__ = (LASTING_ID,)

    id: Mapped[int] = mapped_column(Id, primary_key=True)  # never given out again; the newest demo of a channel has the greatest
    channel: Mapped[str] = mapped_column(index=True)  # Place.channel_key: threads belong to it
    presenter: Mapped[str]  # the key of who began it
    code: Mapped[str] = mapped_column(unique=True)  # unguessable; its wall's address: whoever has it may look
    key: Mapped[str]  # unguessable; whoever has it may hide questions and export
    prompt: Mapped[str]  # what is asked about every picture that is posted
    slow_seconds: Mapped[float]  # that have to lie between two pictures of one person; 0: none
    language: Mapped[str]  # of the wall and the export, BCP 47
    started: Mapped[float]  # a question asked since then in the channel belongs to it …
    ended: Mapped[float | None]  # … until then; None: it runs


class HiddenRow(Row):
    """A question that its demo's presenter took off the wall and out of the export; put back, the row goes."""

    __tablename__ = "hidden"

    question: Mapped[int] = mapped_column(Id, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)  # a person's message
