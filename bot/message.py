"""What an adapter hands to the bot: one event of a person, described the same for all platforms.

Ids are the platform's own, as text. A *key* is an id with its platform in front (`discord:42`), unique everywhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.arrival import Arrival

Value = str | int | float | bool  # of a command's option, and of a setting


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is said. A thread or topic is a place of its own that inherits its channel's settings."""

    platform: str
    channel: str
    thread: str | None = None
    server: str | None = None  # Discord's guild; None in private chats and on platforms without servers
    private: bool = False  # one person and the bot: no mention needed
    age_restricted: bool = False  # the platform shows it to adults alone

    @property
    def key(self) -> str:
        return f"{self.channel_key}/{self.thread}" if self.thread else self.channel_key

    @property
    def channel_key(self) -> str:
        return f"{self.platform}:{self.channel}"

    @property
    def keys(self) -> frozenset[str]:
        """What lists of channels may call it: a thread is listed by itself or with its channel."""
        return frozenset({self.channel_key, self.key})

    @property
    def server_key(self) -> str | None:
        return f"{self.platform}:{self.server}" if self.server else None


@dataclass(frozen=True, slots=True)
class Author:
    """Who did it. `manages` and `moderates` are the platform's own rights to manage this channel, and the messages of others
    in it, looked up at receipt."""

    platform: str
    id: str
    name: str
    is_bot: bool = False
    manages: bool = False
    roles: frozenset[str] = frozenset()
    moderates: bool = False
    alone: bool = False  # at the bot's own terminal: limits that share the bot among people do not apply

    @property
    def key(self) -> str:
        return f"{self.platform}:{self.id}"

    @property
    def role_keys(self) -> frozenset[str]:
        return frozenset(f"{self.platform}:{role}" for role in self.roles)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message, not yet fetched. `read` streams its bytes and may be called once.

    `size` in bytes is the platform's claim; intake counts for itself. A spoiler's answer is hidden like its picture. By its
    `reference` a platform finds the file again (bot/platform.py: SupportsReopening), and `read` may be called again; empty: neither.
    `still`: it stands for something that moves, which the bot can't have.
    """

    name: str
    read: Callable[[], AsyncIterator[bytes]]
    size: int | None = None
    content_type: str | None = None
    spoiler: bool = False
    reference: str = ""
    still: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture after intake: upright, flattened, without metadata, within the limits. Stored once under its sha256."""

    sha256: str  # of `data`, hexadecimal
    data: bytes  # encoded as `media_type`
    media_type: str  # image/png or image/jpeg
    width: int  # pixels
    height: int
    seconds: float | None = None  # of a film's frame: when it is shown, from the film's beginning
    original: bytes = field(default=b"", compare=False, repr=False)  # the file that it was made of, where that shows more; else empty
    original_side: int = field(default=0, compare=False)  # pixels of that file's longer side; 0: it is none, or a film


@dataclass(frozen=True, slots=True)
class Reply:
    """The message that is replied to, as far as the platform shows it."""

    message_id: str
    author: Author | None = None
    attachments: tuple[Attachment, ...] = ()
    is_ours: bool = False  # one of the bot's own messages
    quote: str = ""  # what the person marked in it
    words: str = ""  # what the platform shows of it above the reply
    quoted: Author | None = None  # who wrote what is marked, where it is not `author`
    found: bool = False  # the person did not reply to it: the bot found that its picture is meant
    for_picture: bool = False  # the question is about its picture, and none without one
    number: int | None = None  # its id in the database (`Remembered.id`), by which a page refers to it; None: by `message_id`


class Address(StrEnum):
    """How a message reached the bot."""

    PRIVATE = "private"
    MENTION = "mention"
    REPLY = "reply"  # to one of the bot's messages
    COMMAND = "command"
    OVERHEARD = "overheard"  # not addressed; only demo mode answers these
    SHOWN = "shown"  # overheard: a picture for the demonstration that runs there


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command as the person gave it: its name and typed options, already parsed by the platform or by us.

    A pressed button is the command of its name (`stop`, `again`, `continue`, `settings`) with the option `answer_id`.
    """

    name: str
    options: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event: a message, a command or a pressed button. `text` has the mention of the bot removed."""

    id: str
    place: Place
    author: Author
    address: Address
    sent_at: datetime  # aware, UTC
    text: str = ""
    attachments: tuple[Attachment, ...] = ()  # own first, then forwarded ones
    reply_to: Reply | None = None
    command: Invocation | None = None
    locale: str | None = None  # BCP 47, what the platform says of the person
    instead_of: str | None = None  # the id of a question: this one is asked in its place, in a branch beside it
    apart: bool = False  # this platform sends a question and its picture as two messages
    cut: bool = False  # as long as the platform allows: the text may go on in the next message
    forwarded: bool = False  # its words are somebody else's
    joined: tuple[str, ...] = ()  # ids of later messages that were joined to it
    blind: str = ""  # the key of a text: why the bot sees no pictures here that are not meant for it, and how to change that
    newer: bool = False  # the newest picture here is one that nobody asked about
    starter: Callable[[], Awaitable[Reply | None]] | None = field(default=None, compare=False, repr=False)  # what its thread began with
    arrival: Arrival | None = field(default=None, compare=False, repr=False)  # its place in the order; None: the bot gives it one
    unseen: bool = False  # nobody else saw it, as a native command or a pressed button: what is said to it is for its author alone
    edited: bool = False  # the author changed a message that we may hold: while it waits, its new text is asked instead

    @property
    def key(self) -> str:
        return f"{self.place.key}:{self.id}"
