"""What is on its way to one channel: answers and notices, with what the platform is known to have of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.delivery.edit_scheduler import EditScheduler, MessageDiff
from bot.message import Place
from bot.ports import Outgoing
from bot.store.deliveries import Delivery


@dataclass(slots=True)
class QueuedMessage:
    """One answer or notice on its way."""

    answer: int | None  # None: a notice
    place: Place
    reply_to: str | None
    diff: MessageDiff
    event: str | None  # the question that is marked while it is answered; what a notice replies to
    parts: list[Delivery] = field(default_factory=list)  # those the platform has
    intended: Delivery | None = None  # recorded, and not known to be sent by this process
    unsure_since: float | None = None  # Unix seconds; since then a send of it may have gone through unheard
    unheard: bool = False  # an earlier try of the send on its way may have been carried out, with words of then
    stale: list[str] = field(default_factory=list)  # messages that can't be changed: to be deleted once they are said anew
    reworded: bool = False  # what could not be said is replaced by why
    origin: Place | None = None  # where it was asked, if it is said in the asker's own chat instead
    failures: int = 0
    stays: bool = False  # a notice that is going to be changed
    chained: bool = False  # each part replies to the one before it
    over: asyncio.Event = field(default_factory=asyncio.Event)
    sign: asyncio.Task[None] | None = None  # the last change of the question's mark

    @property
    def home(self) -> Place:
        """Where it was asked."""
        return self.origin or self.place

    def follows(self, part: int) -> str | None:
        """The message that this part replies to because it is the one before it; None: it replies to what was asked, if to anything."""
        return self.parts[part - 1].platform_id if part and self.chained else None


@dataclass(slots=True)
class ChannelQueue:
    """A channel's letters and the task that moves them."""

    platform: str
    channel: EditScheduler
    letters: dict[int, QueuedMessage] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the bot said, and may say otherwise."""

    pump: ChannelQueue
    key: int

    def change(self, message: Outgoing) -> bool:
        """Say this instead: as a courtesy, within the channel's budget, until it is final. False: it is too late for that."""
        letter = self.pump.letters.get(self.key)
        if letter is None or not letter.stays:
            return False
        letter.stays = not message.final
        if message.final:
            letter.diff.end(message)
        else:
            letter.diff.reopen(message)
        self.pump.news.set()
        return True
