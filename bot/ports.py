"""What the core needs of a platform, and what it offers to adapters. The core decides; an adapter knows one platform and carries out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from bot.arrival import Arrival
from bot.message import Author, Incoming, Place


class Button(StrEnum):
    """What a person can press under an answer. Adapters render them natively, or as words where there are none."""

    STOP = "stop"
    AGAIN = "again"
    CONTINUE = "continue"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Action:
    """A button that stands for a typed command, such as a vote. Telegram takes at most 64 bytes of `command`."""

    label: str
    command: str


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """One column of a comparison."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Reader:
    """The person to whom something is said."""

    id: str  # the platform's
    name: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of settings to choose from, below the text. Each platform shows it in its own form, or not at all."""

    command: str = "settings"  # or setup
    setting: str = ""  # whose values are offered; empty: all settings are
    chosen: bool = False  # a value was just given
    anew: bool = False  # opened by the button under an answer: a message of its own


@dataclass(frozen=True, slots=True)
class Named:
    """A key that stands in a text, and what it is of: platforms that can show the name instead of the key do so."""

    kind: Literal["person", "role", "channel"]
    key: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Text to show, in the Markdown that models write. The adapter converts and defuses it: it pings nobody.

    `answer_id` ties buttons to the answer they act on, over restarts. What is `private` is shown to its `reader` alone, or to
    nobody: bot/delivery/outbox.py gives it to `SupportsPrivateReplies.reply_privately`, and to `Platform.send` only in that
    person's own chat.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    answer_id: int | None = None
    footer: str = ""  # settings that differ from the default, position in the queue
    spoiler: bool = False
    private: bool = False
    final: bool = True  # False: a placeholder or a part that will be edited
    whole: str = ""  # the text of which this is as much as fits: to be attached as a file
    reader: Reader | None = None
    language: str = "en"  # of the words on its buttons, and of what is said instead where it can't be said
    panel: Panel | None = None
    actions: tuple[Action, ...] = ()  # buttons below the others, each for anybody
    files: tuple[Path, ...] = ()  # sent along once: pictures are shown, others can be saved
    heading: str = ""  # stands above the text, and is no part of what was said
    alt: str = ""  # what the files show, for those who can't see them; empty: what the text says
    named: tuple[Named, ...] = ()  # those whose keys stand in the text
    picture: Path | None = None  # that it is about, where people could not see otherwise: shown small beside it
    columns: tuple[AnswerColumn, ...] = ()  # of a comparison: what `text` says, for platforms that can show it side by side


@dataclass(frozen=True, slots=True)
class EditBudget:
    """At most `edits` sends and edits in any `seconds` in one channel."""

    edits: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What the platform allows. `text` counts as `length` counts (characters, or UTF-16 units on Telegram)."""

    text: int
    budget: EditBudget
    typing_seconds: float | None = None  # how long one typing sign lasts; None = it has none
    buttons: bool = True
    deduplicates: bool = False  # a repeated send with the same nonce is shown once
    ends_directly: bool = False  # an answer's end needs no placeholder first (a kill in its send may show it twice: `remove_duplicate`)
    messages: int | None = None  # that one answer takes: a longer one goes whole into a file of its last; None = as many as it needs
    file_bytes: int | None = None  # the most that the files of one message may take; None = any
    draft_seconds: float | None = None  # growing answers are shown by `show_draft`, which fades after so long; None: in messages
    shows_explanations: bool = False  # it shows how answers came about (bot/answers/explanations.py): engines are asked for it
    tables: bool = False  # it shows tables of Markdown itself
    reacts: bool = False  # a reaction on the question (`SupportsReactions`) replaces the placeholder: every message is needed for ends
    chains: bool = False  # each further part replies to the part before it; else it would not belong to the question's thread

    def length(self, text: str) -> int:
        return len(text)


class Platform(Protocol):
    """One platform, connected. Errors are DeliveryError and its children (bot/errors.py), never the SDK's own."""

    name: str
    limits: Limits

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        """Send a new message; its platform id. With `limits.deduplicates`, the same nonce within minutes sends once."""
        ...

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        """Replace a message. "Not modified" is success; MessageGone when it was deleted, MessageFrozen when it can't be changed."""
        ...

    async def delete(self, place: Place, message_id: str) -> None: ...

    async def typing(self, place: Place) -> None:
        """Show that the bot is at work. Never fails."""
        ...


@runtime_checkable
class SupportsDrafts(Protocol):
    """A platform with drafts: growing answers in private chats, which have limits of their own."""

    private_limits: Limits

    async def show_draft(self, place: Place, answer_id: int, message: Outgoing) -> None:
        """Show a text that grows; it goes away by itself when the answer is sent. A courtesy: DeliveryError only to ask for a pause."""
        ...


@runtime_checkable
class SupportsReactions(Protocol):
    """A platform that can mark a question as being worked on."""

    async def set_busy_reaction(self, place: Place, message_id: str, *, busy: bool) -> None:
        """Set the reaction or remove it. Never fails."""
        ...


@runtime_checkable
class SupportsPrivateReplies(Protocol):
    """A platform that can reply to a command so that only the person who gave it sees the reply."""

    def can_reply_privately(self, event: str) -> bool:
        """Whether this event can be replied to so. What is said so does not count in the channel's budget."""
        ...

    async def reply_privately(self, place: Place, message: Outgoing, *, event: str, nonce: str) -> str:
        """Show it to the one who caused the event, and to nobody else; its id. NotPrivate where no way is left to do that."""
        ...


@runtime_checkable
class SupportsDirectMessages(Protocol):
    """A platform on which the bot can write to a person in a private chat."""

    async def private_place(self, person: str) -> Place:
        """The private chat with the person of this id on the platform; it may be that the bot may not write there."""
        ...


@runtime_checkable
class SupportsReopening(Protocol):
    """A platform that finds a file of a message again, minutes later."""

    def reopen(self, reference: str) -> AsyncIterator[bytes]:
        """The file's bytes as they come, by `Attachment.reference`. Raises DeliveryError and Refusal while it is read."""
        ...


@runtime_checkable
class SupportsAcknowledgement(Protocol):
    """A platform that shows a command as open until it is replied to or acknowledged."""

    async def acknowledge(self, incoming: Incoming) -> None:
        """No reply to this event follows: it was handled, or an answer will be sent as a message. Never fails."""
        ...


@runtime_checkable
class SupportsDiagnosis(Protocol):
    """A platform on which the bot may lack rights."""

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        """What the bot can and can't see and do where this comes from, each with its cure: keys of texts without values."""
        ...


@dataclass(frozen=True, slots=True)
class KnownMessages:
    """The messages of a channel that are stored, by the platform's ids."""

    earlier: frozenset[str]  # people's and the bot's, until a given moment
    ours: frozenset[str]  # the bot's, of any time


@runtime_checkable
class SupportsDuplicateRemoval(Protocol):
    """A platform that shows a repeated send twice, and where the first copy can be found."""

    async def remove_duplicate(self, place: Place, message_id: str, known: KnownMessages) -> None:
        """`message_id` was sent because nobody knows whether an earlier send went through: if it did, delete what it left.

        `known.earlier`: what was there before that send. Never fails: what can't be found stays.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an adapter stored with `Bot.keep_ticket`, as it gets it back after a restart."""

    place: Place
    event: str
    data: Mapping[str, str | int]
    seconds: float  # until it expires
    taken: bool  # the core has handled the event
    reply_pending: bool  # the core is going to reply to it
    message_ids: tuple[str, ...]  # the messages of the answer so far


@dataclass(frozen=True, slots=True)
class Remembered:
    """One message of a place's history, as a page shows it after a reload. Children name their parent: branches are visible."""

    id: int  # ours; an answer's is the `answer_id` of its buttons
    parent: int | None
    role: Literal["user", "assistant"]
    author: str  # the person's name; empty for answers
    text: str
    pictures: tuple[str, ...]  # sha256
    at: datetime  # aware, UTC
    message_ids: tuple[str, ...]  # the platform's own, several when an answer was split; what a reply refers to
    buttons: tuple[Button, ...] = ()
    footer: str = ""
    pending: bool = False  # an answer that is not finished
    conversation: str = ""  # the key that all branches of one conversation share
    replies_to: str | None = None  # the platform's id of `parent`, where that is a person's message
    columns: tuple[AnswerColumn, ...] = ()  # of a comparison
    actions: tuple[Action, ...] = ()  # what people vote with


class Bot(Protocol):
    """What the core (bot/core.py) offers to adapters."""

    def attach(self, platform: Platform) -> None:
        """Make `platform` reachable for answers under its name. Answers that were not delivered there before a restart go out now."""
        ...

    def detach(self, platform: Platform) -> None:
        """The connection is gone: its answers wait in the store."""
        ...

    def arriving(self, place: Place, event: str, author: Author) -> AbstractContextManager[Arrival]:
        """Keep an event's place in the order while it is still being read: its `Incoming.arrival`. For adapters that ask the platform
        before they can hand it over."""
        ...

    async def handle(self, incoming: Incoming) -> None:
        """Process one event; several at once. The core keeps each place's order, and lets no slow file hold up other people.

        Returns when all is stored: confirm it to the platform afterwards. The core replies with refusals itself and raises none.
        The same event a second time is ignored.
        """
        ...

    async def withdraw(self, place: Place, message_id: str, *, answers: bool) -> tuple[str, ...]:
        """A person deleted a message: delete it here, and stop the answers to it; of a message of the bot, stop its answer.

        The platform's ids of the messages to delete there: of unfinished answers, and with `answers` of the finished ones too.
        """
        ...

    async def caps(self, place: Place, author: Author) -> Mapping[str, float]:
        """The highest values that this person may set here, of the settings that are capped: for what is offered while they type."""
        ...

    async def keep_ticket(self, place: Place, event: str, data: Mapping[str, str | int], seconds: float) -> None:
        """Store what the platform gave to reply to this event by, for so many seconds."""
        ...

    async def tickets(self, platform: str) -> tuple[Ticket, ...]:
        """The tickets of a platform that have not expired: for an adapter that starts."""
        ...

    async def keep_seen(self, events: Mapping[Place, str]) -> None:
        """In these places every event up to the one of this id is dealt with, and needs no looking for after a restart."""
        ...

    async def last_seen(self, platform: str) -> Mapping[Place, str]:
        """What was kept so of a platform."""
        ...

    async def history(self, place: Place, limit: int = 200) -> tuple[Remembered, ...]:
        """The newest messages of a place, oldest first."""
        ...

    async def picture(self, place: Place, sha256: str) -> Path | None:
        """The file of a picture that was shown in this place; None otherwise."""
        ...


class MovingBot(Bot, Protocol):
    """The core for a platform that tells when a channel gets another id, and when it is closed to the bot."""

    async def moved(self, old: Place, new: Place) -> None:
        """The platform gave a channel a new id: move its settings, conversations and open questions there."""
        ...

    async def closed(self, place: Place, *, server: bool = False) -> None:
        """The bot was removed from this channel (with `server`, from all of its server), or blocked: stop all answers
        there."""
        ...

    async def joined(self, place: Place, author: Author, locale: str | None) -> None:
        """Somebody added the bot to this channel: greet them with what to do next."""
        ...
