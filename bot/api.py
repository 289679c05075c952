"""What the bot offers to adapters: they hand events over and ask for what is stored. `bot/event_handler.py` implements it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from bot.arrival import Arrival
from bot.message import Author, Incoming, Place
from bot.platform import Action, AnswerColumn, Button, Platform


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an adapter stored with `Bot.keep_ticket`, as it gets it back after a restart."""

    place: Place
    event: str
    data: Mapping[str, str | int]
    seconds: float  # until it expires
    taken: bool  # the bot has handled the event
    reply_pending: bool  # the bot is going to reply to it
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
    steps: str = ""  # as of Outgoing, like these:
    steps_sheet: str = ""
    steps_seen: str = ""


class Bot(Protocol):
    """What the bot (bot/event_handler.py) offers to adapters."""

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
        """Process one event; several at once. The bot keeps each place's order, and lets no slow file hold up other people.

        Returns when all is stored: confirm it to the platform afterwards. The bot replies with refusals itself and raises none.
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
    """The bot for a platform that tells when a channel gets another id, and when it is closed to the bot."""

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
