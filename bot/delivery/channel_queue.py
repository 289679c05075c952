"""What one channel still has to be sent: answers and notices, each with what the platform is known to show of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.delivery.edit_scheduler import EditScheduler
from bot.delivery.message_diff import MessageDiff
from bot.message import Place
from bot.platform import Outgoing
from bot.store.deliveries import Delivery


@dataclass(slots=True)
class QueuedMessage:
    """One answer or notice that is being delivered; a long one takes several messages of the platform, its *parts*."""

    answer: int | None  # the answer's id; None: a notice
    place: Place  # where it is sent
    reply_to: str | None  # the platform's id of the message that the first part replies to
    diff: MessageDiff
    event: str | None  # an answer's question, which gets a reaction while it is answered; the event that a notice replies to
    parts: list[Delivery] = field(default_factory=list)  # those that the platform has, in order
    pending_send: Delivery | None = None  # recorded in the store, and not yet known to be sent
    recorded_ahead: bool = False  # the pending send was recorded before there was anything to send, and no copy of it can exist
    unsure_since: float | None = None  # Unix seconds; a send since then may have gone through although no reply came
    unheard: bool = False  # an earlier try of the pending send may have gone through, with an earlier text
    to_delete: list[str] = field(default_factory=list)  # messages that can't be edited: deleted once their text is sent again
    explained: bool = False  # what the platform refused was replaced by the reason
    origin: Place | None = None  # where the question was asked, if the answer goes to the asker's direct messages instead
    failures: int = 0  # tries in a row that failed
    changeable: bool = False  # a notice whose text is going to change
    in_line: bool = False  # an answer whose place in line is shown
    longest: int = 0  # characters of the longest text so far: one that is begun anew is shown when it is as long
    grown: Callable[[], Outgoing] | None = None  # that text; None: there was none
    replies_to_previous: bool = False  # each part replies to the part before it
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # all of it is shown, or nothing more will be
    reaction: asyncio.Task[None] | None = None  # the last change of the question's reaction
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # of its queue: set it after `diff.update` returned True

    @property
    def home(self) -> Place:
        """Where the question was asked."""
        return self.origin or self.place

    def previous_part(self, part: int) -> str | None:
        """The platform's id of the part before this one, if parts reply to each other here."""
        return self.parts[part - 1].platform_id if part and self.replies_to_previous else None


@dataclass(slots=True)
class ChannelQueue:
    """A channel's messages and their scheduler. One task of the outbox works on it while it has any."""

    platform: str
    scheduler: EditScheduler
    messages: dict[int, QueuedMessage] = field(default_factory=dict)  # by answer id; notices have negative keys
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # there may be something to send


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that was sent and can still be changed."""

    queue: ChannelQueue
    key: int

    def change(self, message: Outgoing) -> bool:
        """Show this text instead, when the channel's edit budget allows. False: the notice was final already."""
        queued = self.queue.messages.get(self.key)
        if queued is None or not queued.changeable:
            return False
        queued.changeable = not message.final
        if message.final or not queued.parts:  # what is not shown yet is due
            queued.diff.finish(message)
        else:
            queued.diff.reopen(message)
        self.queue.changed.set()
        return True

    async def closed(self) -> None:
        """Returns when all of it is shown, or can't be. It must be final."""
        if queued := self.queue.messages.get(self.key):
            await queued.closed.wait()
