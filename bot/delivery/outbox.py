"""Sends all that the bot has to show: one task a channel carries out what its scheduler decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import count
from time import monotonic

import structlog

from bot.backoff import growing_pause
from bot.delivery.channel_queue import ChannelQueue, Notice, QueuedMessage
from bot.delivery.edit_scheduler import EditScheduler
from bot.delivery.fallbacks import Fallbacks
from bot.delivery.message_diff import Delete, Edit, MessageDiff, Preview, Send, Step
from bot.delivery.sender import MessageSender, mark_unheard
from bot.errors import DeliveryError, FileRefused, MessageFrozen, NotPrivate, PlaceGone, TextBlocked
from bot.message import Place
from bot.platform import Limits, Outgoing, Platform, SupportsDrafts, SupportsPrivateReplies, SupportsReactions
from bot.store import events
from bot.store.database import Database
from bot.store.deliveries import Delivery
from bot.texts import Texts

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between tries when the platform does not say how long; doubled each time
TRIES = 1_000  # of one message without success, the better part of a day, before it is given up
TRIES_REJECTED = 6  # half a minute: of a message that the platform finds fault with

log = structlog.get_logger(__name__)


class Outbox:
    """The channels' queues. `run` owns their tasks; everything else may be called at any time while it runs."""

    def __init__(self, database: Database, texts: Texts, clock: Callable[[], float] = monotonic) -> None:
        self.deleted: asyncio.Queue[int] = asyncio.Queue()  # answers of which a person deleted a message
        self.given_up: asyncio.Queue[int] = asyncio.Queue()  # answers that can't be shown: generating them can stop
        self._database = database
        self._fallbacks = Fallbacks(database, texts, self.deleted)
        self._sender = MessageSender(database, self._fallbacks)
        self._clock = clock
        self._platforms: dict[str, Platform] = {}
        self._connected: dict[str, asyncio.Event] = {}
        self._queues: dict[str, ChannelQueue] = {}
        self._asked: Mapping[str, int] = {}
        self._notice_keys = count(-1, -1)  # in one scheduler with the answers, whose ids are positive
        self._tasks: asyncio.TaskGroup | None = None

    def attach(self, platform: Platform) -> None:
        """The platform is connected: what waits for it is sent."""
        self._platforms[platform.name] = platform
        self._connected.setdefault(platform.name, asyncio.Event()).set()

    def detach(self, platform: Platform) -> None:
        """The connection is gone: messages wait until it is back."""
        if self._platforms.get(platform.name) is platform:
            self._connected[platform.name].clear()

    def was_attached(self, platform: str) -> bool:
        """Whether it was connected at some time since the start."""
        return platform in self._platforms

    @property
    def attached(self) -> tuple[str, ...]:
        """The platforms that were connected at some time since the start."""
        return tuple(self._platforms)

    @property
    def connected(self) -> tuple[str, ...]:
        return tuple(name for name, event in self._connected.items() if event.is_set())

    def platform(self, place: Place) -> Platform:
        """The platform of a place. It must have been attached at some time."""
        return self._platforms[place.platform]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for key, queue in self._queues.items():
                tasks.create_task(self._run_queue(key, queue))
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None  # a group that ends takes no tasks: what is queued now stays for the next start

    def open_answer(
        self, answer: int, place: Place, reply_to: str | None, sent: Iterable[Delivery], recorded: Delivery | None, *, busy: bool = True
    ) -> QueuedMessage:
        """The queued message of an answer; a new one goes on with the parts that were `sent` before a restart.

        `recorded`: its first part, if the store expects that already. `busy`: its question gets a reaction until the answer is finished.
        """
        queue = self._queue(place)
        if answer not in queue.messages:
            known = [delivery for delivery in sent if delivery.platform_id]
            limits = self._limits(place)
            diff = MessageDiff(limits, begun=len(known), is_revision=not busy)
            event = reply_to if busy else None
            queued = QueuedMessage(answer, place, reply_to, diff, event, parts=known, replies_to_previous=limits.chains)
            self._add(queue, answer, queued)
            self._react(queue.messages[answer], busy=True)
        queued = queue.messages[answer]
        if recorded is not None and not queued.parts and queued.pending_send is None:
            queued.pending_send = recorded
            queued.recorded_ahead = not (recorded.repeats or self._limits(place).deduplicates)
        return queued

    async def finish_answer(self, answer: int, place: Place) -> None:
        """Return when the finished text is shown, or can't be, and the queue has no more of the answer."""
        queue = self._queue(place)
        if queued := queue.messages.get(answer):
            queue.changed.set()
            await queued.closed.wait()
            self._remove(queue, answer)
            if queued.reaction is not None:
                await asyncio.wait({queued.reaction})  # or a kill right now would leave the reaction there for ever

    def discard_answer(self, answer: int, place: Place) -> None:
        """Show no more of it: its messages belong to another answer now, or the answer to another bot."""
        self._remove(self._queue(place), answer)

    async def retract_answer(self, answer: int) -> None:
        """Delete all messages of an answer that was deleted from the store before its end."""
        for queue in [queue for queue in self._queues.values() if answer in queue.messages]:
            queued = queue.messages[answer]
            queued.diff.retract()
            queue.changed.set()
            await queued.closed.wait()
            self._remove(queue, answer)

    def send_notice(self, place: Place, message: Outgoing, event: str | None, *, unsure_since: float | None = None) -> Notice:
        """Queue a notice, as a reply to an event or to nothing. One that is not final can be changed until it is.

        `unsure_since`: it may have been sent already, at this time (Unix seconds) or later.
        """
        limits = replace(self._limits(place), draft_seconds=None)
        diff = MessageDiff(limits, ends_directly=True)
        diff.finish(message)
        # A private reply belongs to its own interaction, and counts in nobody's budget.
        queue = self._queue(place, private_to=event if message.private and self._can_reply_privately(place, event) else None)
        key = next(self._notice_keys)
        queued = QueuedMessage(None, place, event, diff, event, unsure_since=unsure_since, replies_to_previous=limits.chains)
        queued.changeable = not message.final
        self._add(queue, key, queued)
        return Notice(queue, key)

    def can_record_ahead(self, channel: str, answer: int, *, private: bool) -> bool:
        """Whether the answer's first message may be recorded before there is anything to send: after a kill nobody knows whether it was
        sent. That does no harm where the platform deduplicates sends; elsewhere a copy is looked for, so it must be about to be sent.
        """
        platform, queue = self._platforms.get(channel.partition(":")[0]), self._queues.get(channel)
        if platform is None or (queue and answer in queue.messages):
            return False
        at_once = platform.limits.ends_directly and not (private and isinstance(platform, SupportsDrafts))
        return platform.limits.deduplicates or (at_once and (queue is None or queue.scheduler.takes_new(self._clock())))

    def hold_for_end(self, queued: QueuedMessage) -> bool:
        """Whether the first message of an answer that is about to be stored is its end: nothing else is shown before, and the store may
        expect that message right away.
        """
        can_send = self._limits(queued.place).ends_directly and self._connected[queued.place.platform].is_set()
        if not can_send or queued.diff.begun or queued.pending_send:
            return False
        queued.diff.hold_until_end()
        return True

    def set_pending(self, asked: Mapping[str, int]) -> None:
        """How many questions wait or are being answered, by channel key."""
        self._asked = asked
        for key, queue in self._queues.items():
            queue.scheduler.set_pending(asked.get(key, 0))
            if queue.messages:
                queue.changed.set()  # there may be more budget for updates

    def seconds_until_shown(self, channel: str, number: int) -> float:
        """Seconds until the platform's limits let the end of the `number`-th answer from now be shown in a channel."""
        queue = self._queues.get(channel)
        return queue.scheduler.seconds_until_shown(number, self._clock()) if queue else 0.0

    def seconds_per_edit(self, place: Place) -> float:
        """Seconds between two edits in this place, if they are spread evenly."""
        budget = self._limits(place).budget
        return budget.seconds / budget.edits

    async def show_typing(self, place: Place, diff: MessageDiff) -> None:
        """Show that the bot is at work, until a message of the answer shows it."""
        platform = self.platform(place)
        while platform.limits.typing_seconds and not diff.begun:
            await platform.typing(place)
            await asyncio.sleep(platform.limits.typing_seconds * 0.8)

    def _queue(self, place: Place, *, private_to: str | None = None) -> ChannelQueue:
        """The channel's queue; for private replies to an event a queue of their own, since they don't count in the channel's budget."""
        key = place.channel_key if private_to is None else f"{place.channel_key} private to {private_to}"
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = ChannelQueue(place.platform, EditScheduler(self._limits(place)))
            queue.scheduler.set_pending(self._asked.get(key, 0))
            if self._tasks is not None:
                self._tasks.create_task(self._run_queue(key, queue))
        return queue

    def _limits(self, place: Place) -> Limits:
        platform = self.platform(place)
        return platform.private_limits if place.private and isinstance(platform, SupportsDrafts) else platform.limits

    def _can_reply_privately(self, place: Place, event: str | None) -> bool:
        platform = self.platform(place)
        return event is not None and isinstance(platform, SupportsPrivateReplies) and platform.can_reply_privately(event)

    def _react(self, queued: QueuedMessage, *, busy: bool) -> None:
        """Change the question's reaction in a task of its own: one that fails or takes long delays no answer."""
        platform = self.platform(queued.place)
        if queued.answer is not None and queued.event is not None and self._tasks is not None and isinstance(platform, SupportsReactions):
            queued.reaction = self._tasks.create_task(_set_reaction(platform, queued.place, queued.event, queued.reaction, busy=busy))

    def _add(self, queue: ChannelQueue, key: int, queued: QueuedMessage) -> None:
        queued.changed = queue.changed
        queue.messages[key] = queued
        queue.scheduler.add(key, queued.diff)
        queue.changed.set()

    async def _run_queue(self, key: str, queue: ChannelQueue) -> None:
        """Send until the queue is empty and its budget free again; then a channel that is used anew gets a new queue."""
        while queue.messages or not queue.scheduler.idle(self._clock()):
            await self._connected[queue.platform].wait()
            queue.changed.clear()
            now = self._clock()
            if found := queue.scheduler.next_step(now):
                await self._carry_out(queue, *found)
            else:
                # Computed for the same moment as `next_step`: with a later one, a step that became due in between would be missed.
                pause = queue.scheduler.seconds_until_next(now)
                await self._close_finished(queue)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await queue.changed.wait()
        del self._queues[key]

    async def _carry_out(self, queue: ChannelQueue, key: int, step: Step) -> None:
        queued = queue.messages[key]
        platform = self.platform(queued.place)
        try:
            if isinstance(step, Send):
                await self._sender.record(queued, step.part)
            queue.scheduler.count_step(key, self._clock())
            match step:
                case Edit():
                    await platform.edit(queued.place, _id(queued.parts[step.part]), step.message)
                case Send():
                    await self._sender.send(platform, queued, step)
                case Preview():
                    await _show_draft(platform, queued, step)
                case Delete():
                    await platform.delete(queued.place, _id(queued.parts[step.part]))
                    await self._fallbacks.drop_parts(queued, step.part)
        except FileRefused:
            queued.diff.drop_files()
        except DeliveryError as error:
            if not await self._fallbacks.handle(platform, queued, step, error):
                await self._retry_later(queue, key, queued, step, error)
        else:
            queued.failures = 0
            queued.diff.record(step, self._clock(), unsure=queued.unheard)
            queued.unheard = False

    async def _close_finished(self, queue: ChannelQueue) -> None:
        for key, queued in list(queue.messages.items()):
            if queued.diff.delivered:
                queued.closed.set()
                if queued.answer is None and not queued.changeable:
                    await self._close_notice(queue, key, queued)

    async def _close_notice(self, queue: ChannelQueue, key: int, queued: QueuedMessage) -> None:
        self._remove(queue, key)
        if queued.event is not None:
            await self._database.write(events.said, queued.home.key, queued.event)

    def _remove(self, queue: ChannelQueue, key: int) -> None:
        if queued := queue.messages.pop(key, None):
            queued.closed.set()
            self._react(queued, busy=False)
        queue.scheduler.remove(key)
        queue.changed.set()

    async def _retry_later(self, queue: ChannelQueue, key: int, queued: QueuedMessage, step: Step, error: DeliveryError) -> None:
        if isinstance(error, PlaceGone | MessageFrozen | NotPrivate | TextBlocked):
            await self._give_up(queue, key, queued, error)
            return
        queued.failures += 1
        log.info("delivery_delayed", place=queued.place.key, answer=queued.answer, failures=queued.failures, reason=str(error))
        if isinstance(step, Send) and error.unheard:
            mark_unheard(queued)
        if error.retry_after is not None:
            queue.scheduler.pause(self._clock() + error.retry_after)
        elif queued.failures < (TRIES_REJECTED if error.rejected else TRIES):
            queue.scheduler.back_off(key, self._clock() + growing_pause(queued.failures, FIRST_PAUSE, 2, LONGEST_PAUSE))
        elif not self._fallbacks.explain(queued, "delivery.refused"):
            await self._give_up(queue, key, queued, error)

    async def _give_up(self, queue: ChannelQueue, key: int, queued: QueuedMessage, error: DeliveryError) -> None:
        queued.closed.set()
        if queued.answer is None:
            await self._close_notice(queue, key, queued)
        else:
            self._remove(queue, key)
            self.given_up.put_nowait(queued.answer)
        log.warning("delivery_given_up", place=queued.place.key, answer=queued.answer, reason=str(error))


async def _show_draft(platform: Platform, queued: QueuedMessage, step: Preview) -> None:
    if queued.answer is not None and isinstance(platform, SupportsDrafts):
        await platform.show_draft(queued.place, queued.answer, step.message)


async def _set_reaction(platform: SupportsReactions, place: Place, event: str, before: asyncio.Task[None] | None, *, busy: bool) -> None:
    """Set or remove the question's reaction, after the change `before` it."""
    if before is not None:
        await asyncio.wait({before})
    await platform.set_busy_reaction(place, event, busy=busy)


def _id(delivery: Delivery) -> str:
    """The platform's id of a message that was sent."""
    if delivery.platform_id is None:
        raise LookupError(f"delivery {delivery.id} has no message yet")
    return delivery.platform_id
