"""What is on its way to one channel: answers and notices, with what the platform is known to have of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.delivery.edit_scheduler import EditScheduler
from bot.delivery.message_diff import MessageDiff
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
    pending_send: Delivery | None = None  # recorded, and not known to be sent by this process
    unsure_since: float | None = None  # Unix seconds; since then a send of it may have gone through unheard
    unheard: bool = False  # an earlier try of the send on its way may have been carried out, with words of then
    to_delete: list[str] = field(default_factory=list)  # messages that can't be changed: to be deleted once they are said anew
    explained: bool = False  # what could not be said is replaced by why
    origin: Place | None = None  # where it was asked, if it is said in the asker's own chat instead
    failures: int = 0
    changeable: bool = False  # a notice that is going to be changed
    replies_to_previous: bool = False  # each part replies to the one before it
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    reaction: asyncio.Task[None] | None = None  # the last change of the question's mark

    @property
    def home(self) -> Place:
        """Where it was asked."""
        return self.origin or self.place

    def follows(self, part: int) -> str | None:
        """The message that this part replies to because it is the one before it; None: it replies to what was asked, if to anything."""
        return self.parts[part - 1].platform_id if part and self.replies_to_previous else None


@dataclass(slots=True)
class ChannelQueue:
    """A channel's letters and the task that moves them."""

    platform: str
    scheduler: EditScheduler
    messages: dict[int, QueuedMessage] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the bot said, and may say otherwise."""

    queue: ChannelQueue
    key: int

    def change(self, message: Outgoing) -> bool:
        """Say this instead: as a courtesy, within the channel's budget, until it is final. False: it is too late for that."""
        queued = self.queue.messages.get(self.key)
        if queued is None or not queued.changeable:
            return False
        queued.changeable = not message.final
        if message.final:
            queued.diff.end(message)
        else:
            queued.diff.reopen(message)
        self.queue.changed.set()
        return True
