"""The interface of a platform, and what is shown there. The bot decides what to say; an adapter knows one platform and carries out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from bot.message import Incoming, Place


class Button(StrEnum):
    """What a person can press under an answer. Adapters render them natively, or as words where there are none."""

    STOP = "stop"
    AGAIN = "again"
    CONTINUE = "continue"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Action:
    """A button that stands for a typed command, such as a vote. Telegram takes at most 64 bytes of `command`.

    With a `url` it is a link to there instead, on platforms that have such buttons.
    """

    label: str
    command: str
    url: str = ""


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
    across: int = 0  # how many of these stand in a row, for they are a grid; 0: as the platform likes
    files: tuple[Path, ...] = ()  # sent along once: pictures are shown, others can be saved
    heading: str = ""  # stands above the text, and is no part of what was said
    alt: str = ""  # what the files show, for those who can't see them; empty: what the text says
    named: tuple[Named, ...] = ()  # those whose keys stand in the text
    picture: Path | None = None  # that it is about, where people could not see otherwise: shown small beside it
    steps: str = ""  # how it was answered in steps, plain lines: shown folded below the text
    steps_sheet: str = ""  # sha256 of a picture of what those looked at, for platforms that can show it there …
    steps_seen: str = ""  # … and the same in words
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
    private_files: bool = False  # what one person alone sees can have files, in a group too
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
