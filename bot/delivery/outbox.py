"""Carries out what streaming decides: one pump a channel, every send recorded before it happens and its id afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import monotonic, time

import structlog

from bot.backoff import growing_pause
from bot.delivery.channel_queue import ChannelQueue, Notice, QueuedMessage
from bot.delivery.edit_scheduler import EditScheduler
from bot.delivery.fallbacks import Fallbacks
from bot.delivery.message_diff import Delete, MessageDiff, Preview, Send, Step
from bot.errors import DeliveryError, FileRefused, MessageFrozen, NotPrivate, PlaceGone, TextBlocked
from bot.message import Place
from bot.ports import Limits, Outgoing, Platform, SupportsDrafts, SupportsDuplicateRemoval, SupportsPrivateReplies, SupportsReactions
from bot.store import deliveries, events
from bot.store.database import Database
from bot.store.deliveries import Delivery
from bot.texts import Texts

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds between tries when the platform does not say how long; doubled each time
TRIES = 1_000  # of one message without success, the better part of a day, before it is given up
TRIES_REJECTED = 6  # half a minute: of a message that the platform finds fault with

log = structlog.get_logger(__name__)


class Outbox:
    """All that the bot says. `run` owns the pumps; the rest may be called at any time while it runs."""

    def __init__(self, database: Database, texts: Texts, clock: Callable[[], float] = monotonic) -> None:
        self.deleted: asyncio.Queue[int] = asyncio.Queue()  # answers of which a person deleted something
        self.given_up: asyncio.Queue[int] = asyncio.Queue()  # answers that can't be shown: nobody is to go on writing them
        self._database = database
        self._fallbacks = Fallbacks(database, texts, self.deleted)
        self._clock = clock
        self._platforms: dict[str, Platform] = {}
        self._connected: dict[str, asyncio.Event] = {}
        self._queues: dict[str, ChannelQueue] = {}
        self._asked: Mapping[str, int] = {}
        self._notices = count(-1, -1)  # in one channel with the answers, whose ids are positive
        self._tasks: asyncio.TaskGroup | None = None

    def attach(self, platform: Platform) -> None:
        self._platforms[platform.name] = platform
        self._connected.setdefault(platform.name, asyncio.Event()).set()

    def detach(self, platform: Platform) -> None:
        if self._platforms.get(platform.name) is platform:
            self._connected[platform.name].clear()

    def was_attached(self, platform: str) -> bool:
        """Whether it was attached at some time."""
        return platform in self._platforms

    @property
    def connected(self) -> tuple[str, ...]:
        return tuple(name for name, event in self._connected.items() if event.is_set())

    def platform(self, place: Place) -> Platform:
        """The platform of a place, attached at some time."""
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
                self._tasks = None  # a group that ends takes no tasks: what is said now stays for the next start

    def open_answer(
        self, answer: int, place: Place, reply_to: str | None, recorded: Iterable[Delivery], *, busy: bool = True
    ) -> MessageDiff:
        """The diff of an answer; a new one starts with the messages that were `recorded` before a restart.

        `busy`: mark the question.
        """
        queue = self._queue(place)
        if answer not in queue.messages:
            known = [delivery for delivery in recorded if delivery.platform_id]
            limits = self._limits(place)
            diff = MessageDiff(limits, begun=len(known), is_revision=not busy)
            event = reply_to if busy else None
            self._add(queue, answer, QueuedMessage(answer, place, reply_to, diff, event, parts=known, replies_to_previous=limits.chains))
            self._react(queue.messages[answer], busy=True)
        return queue.messages[answer].diff

    async def finish_answer(self, answer: int, place: Place) -> None:
        """Wait until the answer's end is shown, or can't be: then forget about it."""
        queue = self._queue(place)
        if queued := queue.messages.get(answer):
            queue.changed.set()
            await queued.closed.wait()
            self._remove(queue, answer)
            if queued.reaction is not None:
                await asyncio.wait({queued.reaction})  # or a kill right now would leave it there for ever

    def discard_answer(self, answer: int, place: Place) -> None:
        """Show no more of it: another answer has its messages now, or another bot the answer."""
        self._remove(self._queue(place), answer)

    async def retract_answer(self, answer: int) -> None:
        """Take back what is shown of it, if anything is: it was forgotten before its end."""
        for queue in [queue for queue in self._queues.values() if answer in queue.messages]:
            queued = queue.messages[answer]
            queued.diff.retract()
            queue.changed.set()
            await queued.closed.wait()
            self._remove(queue, answer)

    def send_notice(self, place: Place, message: Outgoing, event: str | None, *, unsure_since: float | None = None) -> Notice:
        """Send a notice, in reply to an event or to none, in its turn. One that is not final can be changed until it is.

        `unsure_since`: it may have been sent since then (Unix seconds).
        """
        limits = replace(self._limits(place), draft_seconds=None)
        diff = MessageDiff(limits, ends_directly=True)
        diff.end(message)
        # What one person alone is told goes by the way of its own interaction, which counts in nobody else's budget.
        queue = self._queue(place, aside=event if message.private and self._can_reply_privately(place, event) else None)
        key = next(self._notices)
        queued = QueuedMessage(
            None, place, event, diff, event, unsure_since=unsure_since, changeable=not message.final, replies_to_previous=limits.chains
        )
        self._add(queue, key, queued)
        return Notice(queue, key)

    def set_pending(self, asked: Mapping[str, int]) -> None:
        """How many questions wait or are being answered, by channel."""
        self._asked = asked
        for key, queue in self._queues.items():
            queue.scheduler.set_pending(asked.get(key, 0))
            if queue.messages:
                queue.changed.set()  # there may be more room for courtesies

    def seconds_until_shown(self, channel: str, number: int) -> float:
        """Seconds until the end of the `number`-th answer from now can be shown in a channel, by the platform's limits."""
        queue = self._queues.get(channel)
        return queue.scheduler.seconds_until_shown(number, self._clock()) if queue else 0.0

    def seconds_per_edit(self, place: Place) -> float:
        """Seconds between two edits in this place, if they are spread evenly."""
        budget = self._limits(place).budget
        return budget.seconds / budget.edits

    def wake(self, place: Place) -> None:
        """A display of this place wants to show something new."""
        self._queue(place).changed.set()

    async def show_typing(self, place: Place, diff: MessageDiff) -> None:
        """Show that the bot is at work, until the answer itself shows it."""
        platform = self.platform(place)
        while platform.limits.typing_seconds and not diff.begun:
            await platform.typing(place)
            await asyncio.sleep(platform.limits.typing_seconds * 0.8)

    def _queue(self, place: Place, *, aside: str | None = None) -> ChannelQueue:
        """The channel's, or the one beside it for what does not count there: of this event."""
        key = place.channel_key if aside is None else f"{place.channel_key} aside {aside}"
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
        """Beside everything else, one change after the other: a sign that fails or takes long holds up no answer."""
        platform = self.platform(queued.place)
        if queued.answer is not None and queued.event is not None and self._tasks is not None and isinstance(platform, SupportsReactions):
            queued.reaction = self._tasks.create_task(_set_reaction(platform, queued.place, queued.event, queued.reaction, busy=busy))

    def _add(self, queue: ChannelQueue, key: int, queued: QueuedMessage) -> None:
        queue.messages[key] = queued
        queue.scheduler.add(key, queued.diff)
        queue.changed.set()

    async def _run_queue(self, key: str, queue: ChannelQueue) -> None:
        """Until there is nothing left to say, and nothing to remember of what was: a channel that speaks again gets another pump."""
        while queue.messages or not queue.scheduler.idle(self._clock()):
            await self._connected[queue.platform].wait()
            queue.changed.clear()
            now = self._clock()
            if found := queue.scheduler.next_step(now):
                await self._attempt(queue, *found)
            else:
                pause = queue.scheduler.seconds_until_next(
                    now
                )  # of this very moment: asked later, what has come due meanwhile would wait for news
                await self._close_finished(queue)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await queue.changed.wait()
        del self._queues[key]

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

    async def _attempt(self, queue: ChannelQueue, key: int, step: Step) -> None:
        queued = queue.messages[key]
        try:
            if isinstance(step, Send):
                await self._record_send(queued, step.part)
            queue.scheduler.count_step(key, self._clock())
            await self._carry_out(queued, step)
        except FileRefused:
            queued.diff.drop_files()
        except DeliveryError as error:
            if not await self._fallbacks.handle(self.platform(queued.place), queued, step, error):
                await self._retry_later(queue, key, queued, step, error)
        else:
            queued.failures = 0
            queued.diff.record(step, self._clock(), unsure=queued.unheard)
            queued.unheard = False

    async def _carry_out(self, queued: QueuedMessage, step: Step) -> None:
        platform = self.platform(queued.place)
        if isinstance(step, Send):
            await self._send(platform, queued, step)
        elif isinstance(step, Preview):
            if queued.answer is not None and isinstance(platform, SupportsDrafts):
                await platform.show_draft(queued.place, queued.answer, step.message)
        elif isinstance(step, Delete):
            delivery = queued.parts[step.part]
            await platform.delete(queued.place, _id(delivery))
            await self._fallbacks.drop_parts(queued, step.part)
        else:
            await platform.edit(queued.place, _id(queued.parts[step.part]), step.message)

    async def _record_send(self, queued: QueuedMessage, part: int) -> Delivery:
        """Record a send before it happens; a send that failed is tried again as the same one."""
        if queued.pending_send is None:
            queued.pending_send = await self._database.write(deliveries.intend, queued.answer, part, queued.place, time())
        if queued.pending_send is None:
            raise PlaceGone("the answer was forgotten while it was on its way")
        if queued.pending_send.repeats:
            self._mark_uncertain(queued)
        return queued.pending_send

    async def _send(self, platform: Platform, queued: QueuedMessage, step: Send) -> None:
        if step.message.files and not await asyncio.to_thread(all_exist, step.message.files):
            raise FileRefused("a file that was to be sent is there no more")
        pending_send = await self._record_send(queued, step.part)
        platform_id = await _send_publicly_or_privately(platform, queued, step, pending_send.nonce)
        queued.unheard = queued.unheard and platform.limits.deduplicates
        if queued.unsure_since is not None:
            await self._remove_duplicate(platform, queued, platform_id, queued.unsure_since)
        ends_reply = queued.answer is None and not queued.changeable and queued.diff.is_last(step)
        replied = (queued.home.key, queued.event) if ends_reply and queued.event is not None else None
        if not await self._database.write(deliveries.sent, pending_send.id, platform_id, replied):
            await platform.delete(queued.place, platform_id)  # nobody knows it, so that nothing else would ever end it
            raise PlaceGone("the answer was forgotten while it was on its way")
        queued.parts.append(replace(pending_send, platform_id=platform_id))
        queued.pending_send = None
        await self._fallbacks.delete_replaced(platform, queued)

    async def _remove_duplicate(self, platform: Platform, queued: QueuedMessage, platform_id: str, since: float) -> None:
        """Take back the first copy of what is now sent anew, before this one is recorded: a kill here starts it over."""
        if isinstance(platform, SupportsDuplicateRemoval):
            known = await self._database.read(deliveries.known, queued.place, since)
            await platform.remove_duplicate(queued.place, platform_id, known)
        queued.unsure_since = None

    async def _retry_later(self, queue: ChannelQueue, key: int, queued: QueuedMessage, step: Step, error: DeliveryError) -> None:
        if isinstance(error, PlaceGone | MessageFrozen | NotPrivate | TextBlocked):
            await self._give_up(queue, key, queued, error)
            return
        queued.failures += 1
        log.info("delivery_delayed", place=queued.place.key, answer=queued.answer, failures=queued.failures, reason=str(error))
        if isinstance(step, Send) and error.unheard:
            self._mark_uncertain(queued)
        if error.retry_after is not None:
            queue.scheduler.pause(self._clock() + error.retry_after)
        elif queued.failures < (TRIES_REJECTED if error.rejected else TRIES):
            queue.scheduler.back_off(key, self._clock() + growing_pause(queued.failures, FIRST_PAUSE, 2, LONGEST_PAUSE))
        elif not self._fallbacks.explain(queued, "delivery.refused"):
            await self._give_up(queue, key, queued, error)

    def _mark_uncertain(self, queued: QueuedMessage) -> None:
        """The send on its way may have been carried out before, unheard."""
        if queued.pending_send is not None:
            queued.unheard, queued.unsure_since = True, queued.unsure_since or queued.pending_send.at

    async def _give_up(self, queue: ChannelQueue, key: int, queued: QueuedMessage, error: DeliveryError) -> None:
        queued.closed.set()
        if queued.answer is None:
            await self._close_notice(queue, key, queued)
        else:
            self._remove(queue, key)
            self.given_up.put_nowait(queued.answer)
        log.warning("delivery_given_up", place=queued.place.key, answer=queued.answer, reason=str(error))


async def _send_publicly_or_privately(platform: Platform, queued: QueuedMessage, step: Send, nonce: str) -> str:
    """Send one message; its id. What is private goes by here, and nowhere else: so that nobody else ever sees it."""
    message, place = step.message, queued.place
    if message.private and queued.origin is None:
        try:
            if queued.event is not None and isinstance(platform, SupportsPrivateReplies):
                return await platform.reply_privately(place, message, event=queued.event, nonce=nonce)
            if not place.private:
                raise NotPrivate("others would see it, too")
        except NotPrivate:
            if not place.private:
                raise
    # Where later parts follow the first one by themselves, a reply link on each would only repeat the question.
    reply_to = queued.reply_to if step.part == 0 else queued.follows(step.part)
    return await platform.send(place, message, reply_to=reply_to, nonce=nonce)


async def _set_reaction(platform: SupportsReactions, place: Place, event: str, before: asyncio.Task[None] | None, *, busy: bool) -> None:
    if before is not None:
        await asyncio.wait({before})
    await platform.set_busy_reaction(place, event, busy=busy)


def _id(delivery: Delivery) -> str:
    """The platform's id of a message that was sent."""
    if delivery.platform_id is None:
        raise LookupError(f"delivery {delivery.id} has no message yet")
    return delivery.platform_id


def all_exist(files: Iterable[Path]) -> bool:
    return all(file.exists() for file in files)
