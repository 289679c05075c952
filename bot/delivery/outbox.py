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
from sqlalchemy import Connection

from bot.delivery.channel_queue import ChannelQueue, Notice, QueuedMessage
from bot.delivery.edit_scheduler import Delete, EditScheduler, MessageDiff, Preview, Send, Step
from bot.delivery.fallbacks import Fallbacks
from bot.errors import DeliveryError, FileRefused, MessageFrozen, NotPrivate, PlaceGone, TextBlocked
from bot.message import Place
from bot.ports import Limits, Outgoing, Platform, SupportsDrafts, SupportsDuplicateRemoval, SupportsPrivateReplies, SupportsReactions
from bot.store import deliveries, events
from bot.store.database import Database
from bot.store.deliveries import Delivery
from bot.texts import Texts

LONGEST_PAUSE = 60.0  # seconds between tries when the platform does not say how long
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
        self._pumps: dict[str, ChannelQueue] = {}
        self._asked: Mapping[str, int] = {}
        self._notices = count(-1, -1)  # in one channel with the answers, whose ids are positive
        self._tasks: asyncio.TaskGroup | None = None

    def attach(self, platform: Platform) -> None:
        self._platforms[platform.name] = platform
        self._connected.setdefault(platform.name, asyncio.Event()).set()

    def detach(self, platform: Platform) -> None:
        if self._platforms.get(platform.name) is platform:
            self._connected[platform.name].clear()

    def knows(self, platform: str) -> bool:
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
            for key, pump in self._pumps.items():
                tasks.create_task(self._move(key, pump))
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None  # a group that ends takes no tasks: what is said now stays for the next start

    def begin(self, answer: int, place: Place, reply_to: str | None, recorded: Iterable[Delivery], *, busy: bool = True) -> MessageDiff:
        """The display of an answer; where there is none yet, with the messages that were `recorded`, from before a restart.

        `busy`: mark the question.
        """
        pump = self._pump(place)
        if answer not in pump.letters:
            known = [delivery for delivery in recorded if delivery.platform_id]
            limits = self._limits(place)
            diff = MessageDiff(limits, begun=len(known), retold=not busy)
            event = reply_to if busy else None
            self._post(pump, answer, QueuedMessage(answer, place, reply_to, diff, event, parts=known, chained=limits.chains))
            self._mark(pump.letters[answer], busy=True)
        return pump.letters[answer].diff

    async def finish(self, answer: int, place: Place) -> None:
        """Wait until the answer's end is shown, or can't be: then forget about it."""
        pump = self._pump(place)
        if letter := pump.letters.get(answer):
            pump.news.set()
            await letter.over.wait()
            self._remove(pump, answer)
            if letter.sign is not None:
                await asyncio.wait({letter.sign})  # or a kill right now would leave it there for ever

    def discard(self, answer: int, place: Place) -> None:
        """Show no more of it: another answer has its messages now, or another bot the answer."""
        self._remove(self._pump(place), answer)

    async def retract(self, answer: int) -> None:
        """Take back what is shown of it, if anything is: it was forgotten before its end."""
        for pump in [pump for pump in self._pumps.values() if answer in pump.letters]:
            letter = pump.letters[answer]
            letter.diff.retract()
            pump.news.set()
            await letter.over.wait()
            self._remove(pump, answer)

    def say(self, place: Place, message: Outgoing, event: str | None, *, unsure_since: float | None = None) -> Notice:
        """Send a notice, in reply to an event or to none, in its turn. One that is not final can be changed until it is.

        `unsure_since`: it may have been sent since then (Unix seconds).
        """
        limits = replace(self._limits(place), draft_seconds=None)
        diff = MessageDiff(limits, ends_directly=True)
        diff.end(message)
        # What one person alone is told goes by the way of its own interaction, which counts in nobody else's budget.
        pump = self._pump(place, aside=event if message.private and self._whispers(place, event) else None)
        key = next(self._notices)
        letter = QueuedMessage(None, place, event, diff, event, unsure_since=unsure_since, stays=not message.final, chained=limits.chains)
        self._post(pump, key, letter)
        return Notice(pump, key)

    def expect(self, asked: Mapping[str, int]) -> None:
        """How many questions wait or are being answered, by channel."""
        self._asked = asked
        for key, pump in self._pumps.items():
            pump.channel.expect(asked.get(key, 0))
            if pump.letters:
                pump.news.set()  # there may be more room for courtesies

    def delay(self, channel: str, number: int) -> float:
        """Seconds until the end of the `number`-th answer from now can be shown in a channel, by the platform's limits."""
        pump = self._pumps.get(channel)
        return pump.channel.delay(number, self._clock()) if pump else 0.0

    def pace(self, place: Place) -> float:
        """Seconds between two edits in this place, if they are spread evenly."""
        budget = self._limits(place).budget
        return budget.seconds / budget.edits

    def changed(self, place: Place) -> None:
        """A display of this place wants to show something new."""
        self._pump(place).news.set()

    async def type(self, place: Place, diff: MessageDiff) -> None:
        """Show that the bot is at work, until the answer itself shows it."""
        platform = self.platform(place)
        while platform.limits.typing_seconds and not diff.begun:
            await platform.typing(place)
            await asyncio.sleep(platform.limits.typing_seconds * 0.8)

    def _pump(self, place: Place, *, aside: str | None = None) -> ChannelQueue:
        """The channel's, or the one beside it for what does not count there: of this event."""
        key = place.channel_key if aside is None else f"{place.channel_key} aside {aside}"
        pump = self._pumps.get(key)
        if pump is None:
            pump = self._pumps[key] = ChannelQueue(place.platform, EditScheduler(self._limits(place)))
            pump.channel.expect(self._asked.get(key, 0))
            if self._tasks is not None:
                self._tasks.create_task(self._move(key, pump))
        return pump

    def _limits(self, place: Place) -> Limits:
        platform = self.platform(place)
        return platform.private_limits if place.private and isinstance(platform, SupportsDrafts) else platform.limits

    def _whispers(self, place: Place, event: str | None) -> bool:
        platform = self.platform(place)
        return event is not None and isinstance(platform, SupportsPrivateReplies) and platform.can_reply_privately(event)

    def _mark(self, letter: QueuedMessage, *, busy: bool) -> None:
        """Beside everything else, one change after the other: a sign that fails or takes long holds up no answer."""
        platform = self.platform(letter.place)
        if letter.answer is not None and letter.event is not None and self._tasks is not None and isinstance(platform, SupportsReactions):
            letter.sign = self._tasks.create_task(_sign(platform, letter.place, letter.event, letter.sign, busy=busy))

    def _post(self, pump: ChannelQueue, key: int, letter: QueuedMessage) -> None:
        pump.letters[key] = letter
        pump.channel.add(key, letter.diff)
        pump.news.set()

    async def _move(self, key: str, pump: ChannelQueue) -> None:
        """Until there is nothing left to say, and nothing to remember of what was: a channel that speaks again gets another pump."""
        while pump.letters or not pump.channel.rested(self._clock()):
            await self._connected[pump.platform].wait()
            pump.news.clear()
            now = self._clock()
            if found := pump.channel.next(now):
                await self._try(pump, *found)
            else:
                pause = pump.channel.wait(now)  # of this very moment: asked later, what has come due meanwhile would wait for news
                await self._close_finished(pump)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await pump.news.wait()
        del self._pumps[key]

    async def _close_finished(self, pump: ChannelQueue) -> None:
        for key, letter in list(pump.letters.items()):
            if letter.diff.settled:
                letter.over.set()
                if letter.answer is None and not letter.stays:
                    await self._close_notice(pump, key, letter)

    async def _close_notice(self, pump: ChannelQueue, key: int, letter: QueuedMessage) -> None:
        self._remove(pump, key)
        if letter.event is not None:
            await self._database.write(events.said, letter.home.key, letter.event)

    def _remove(self, pump: ChannelQueue, key: int) -> None:
        if letter := pump.letters.pop(key, None):
            letter.over.set()
            self._mark(letter, busy=False)
        pump.channel.drop(key)
        pump.news.set()

    async def _try(self, pump: ChannelQueue, key: int, step: Step) -> None:
        letter = pump.letters[key]
        try:
            if isinstance(step, Send):
                await self._intend(letter, step.part)
            pump.channel.begin(key, self._clock())
            await self._carry_out(letter, step)
        except FileRefused:
            letter.diff.do_without_files()
        except DeliveryError as error:
            if not await self._fallbacks.take(self.platform(letter.place), letter, step, error):
                await self._delay(pump, key, letter, step, error)
        else:
            letter.failures = 0
            letter.diff.did(step, self._clock(), unsure=letter.unheard)
            letter.unheard = False

    async def _carry_out(self, letter: QueuedMessage, step: Step) -> None:
        platform = self.platform(letter.place)
        if isinstance(step, Send):
            await self._send(platform, letter, step)
        elif isinstance(step, Preview):
            if letter.answer is not None and isinstance(platform, SupportsDrafts):
                await platform.show_draft(letter.place, letter.answer, step.message)
        elif isinstance(step, Delete):
            delivery = letter.parts[step.part]
            await platform.delete(letter.place, _id(delivery))
            await self._fallbacks.forget(letter, step.part)
        else:
            await platform.edit(letter.place, _id(letter.parts[step.part]), step.message)

    async def _intend(self, letter: QueuedMessage, part: int) -> Delivery:
        """Record a send before it happens; a send that failed is tried again as the same one."""
        if letter.intended is None:
            letter.intended = await self._database.write(deliveries.intend, letter.answer, part, letter.place, time())
        if letter.intended is None:
            raise PlaceGone("the answer was forgotten while it was on its way")
        if letter.intended.repeats:
            self._doubt(letter)
        return letter.intended

    async def _send(self, platform: Platform, letter: QueuedMessage, step: Send) -> None:
        if step.message.files and not await asyncio.to_thread(all_there, step.message.files):
            raise FileRefused("a file that was to be sent is there no more")
        intended = await self._intend(letter, step.part)
        platform_id = await _put(platform, letter, step, intended.nonce)
        letter.unheard = letter.unheard and platform.limits.deduplicates
        if letter.unsure_since is not None:
            await self._recall(platform, letter, platform_id, letter.unsure_since)
        if not await self._database.write(_record, letter, step, intended.id, platform_id):
            await platform.delete(letter.place, platform_id)  # nobody knows it, so that nothing else would ever end it
            raise PlaceGone("the answer was forgotten while it was on its way")
        letter.parts.append(replace(intended, platform_id=platform_id))
        letter.intended = None
        await self._fallbacks.sweep(platform, letter)

    async def _recall(self, platform: Platform, letter: QueuedMessage, platform_id: str, since: float) -> None:
        """Take back the first copy of what is now sent anew, before this one is recorded: a kill here starts it over."""
        if isinstance(platform, SupportsDuplicateRemoval):
            known = await self._database.read(deliveries.known, letter.place, since)
            await platform.remove_duplicate(letter.place, platform_id, known)
        letter.unsure_since = None

    async def _delay(self, pump: ChannelQueue, key: int, letter: QueuedMessage, step: Step, error: DeliveryError) -> None:
        if isinstance(error, PlaceGone | MessageFrozen | NotPrivate | TextBlocked):
            await self._give_up(pump, key, letter, error)
            return
        letter.failures += 1
        log.info("delivery_delayed", place=letter.place.key, answer=letter.answer, failures=letter.failures, reason=str(error))
        if isinstance(step, Send) and error.unheard:
            self._doubt(letter)
        if error.retry_after is not None:
            pump.channel.pause(self._clock() + error.retry_after)
        elif letter.failures < (TRIES_REJECTED if error.rejected else TRIES):
            pump.channel.rest(key, self._clock() + min(0.5 * 2 ** min(letter.failures, 10), LONGEST_PAUSE))
        elif not self._fallbacks.reword(letter, "delivery.refused"):
            await self._give_up(pump, key, letter, error)

    def _doubt(self, letter: QueuedMessage) -> None:
        """The send on its way may have been carried out before, unheard."""
        if letter.intended is not None:
            letter.unheard, letter.unsure_since = True, letter.unsure_since or letter.intended.at

    async def _give_up(self, pump: ChannelQueue, key: int, letter: QueuedMessage, error: DeliveryError) -> None:
        letter.over.set()
        if letter.answer is None:
            await self._close_notice(pump, key, letter)
        else:
            self._remove(pump, key)
            self.given_up.put_nowait(letter.answer)
        log.warning("delivery_given_up", place=letter.place.key, answer=letter.answer, reason=str(error))


async def _put(platform: Platform, letter: QueuedMessage, step: Send, nonce: str) -> str:
    """Send one message; its id. What is private goes by here, and nowhere else: so that nobody else ever sees it."""
    message, place = step.message, letter.place
    if message.private and letter.origin is None:
        try:
            if letter.event is not None and isinstance(platform, SupportsPrivateReplies):
                return await platform.reply_privately(place, message, event=letter.event, nonce=nonce)
            if not place.private:
                raise NotPrivate("others would see it, too")
        except NotPrivate:
            if not place.private:
                raise
    # Where later parts follow the first one by themselves, a reply link on each would only repeat the question.
    reply_to = letter.reply_to if step.part == 0 else letter.follows(step.part)
    return await platform.send(place, message, reply_to=reply_to, nonce=nonce)


async def _sign(platform: SupportsReactions, place: Place, event: str, before: asyncio.Task[None] | None, *, busy: bool) -> None:
    if before is not None:
        await asyncio.wait({before})
    await platform.set_busy_reaction(place, event, busy=busy)


def _record(connection: Connection, letter: QueuedMessage, step: Send, delivery: int, platform_id: str) -> bool:
    """The platform took it; False: the answer was forgotten meanwhile. A kill after this says a notice that is whole no second time."""
    if letter.answer is None and letter.event is not None and not letter.stays and letter.diff.completed_by(step):
        events.said(connection, letter.home.key, letter.event)
    return deliveries.sent(connection, delivery, platform_id)


def _id(delivery: Delivery) -> str:
    """The platform's id of a message that was sent."""
    if delivery.platform_id is None:
        raise LookupError(f"delivery {delivery.id} has no message yet")
    return delivery.platform_id


def all_there(files: Iterable[Path]) -> bool:
    return all(file.exists() for file in files)
