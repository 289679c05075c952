"""Handles the events of all adapters, as a list of steps."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import NoReturn

import structlog

from bot.access.permissions import Access
from bot.access.rate_limits import PersonLimits
from bot.answers.explanations import Explanation
from bot.answers.generate import AnswerGenerator
from bot.answers.in_steps import StepAnswers
from bot.answers.live_notices import LiveNotices
from bot.answers.presentation import AnswerViews
from bot.answers.refusals import Refusals
from bot.answers.vote_updates import VoteUpdates
from bot.api import Remembered, Ticket
from bot.arrival import Arrival
from bot.command_actions import CommandActions
from bot.command_registry import CommandRunner
from bot.conversation import IDLE_SECONDS
from bot.conversations.listing import ConversationList
from bot.conversations.page_messages import remembered
from bot.delivery.outbox import Outbox
from bot.delivery.replies import Replies
from bot.demo.registry import DemoRegistry
from bot.demo.service import DemoService
from bot.demo.wall import Walls
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.engine_pool import EnginePool, PooledEngine
from bot.dispatch.lease import Lease
from bot.engines.engine import Engine
from bot.engines.forget import EngineForgetting
from bot.errors import DeliveryError, Ignored, Refusal, Withdrawn
from bot.insight.explainer import Explainer
from bot.insight.how_pictures import HowPictures
from bot.looking.closer import CloserLooks
from bot.looking.places import MarkedPictures
from bot.media.intake import Intake
from bot.message import Address, Author, Incoming, Place
from bot.metrics import Metrics
from bot.platform import Outgoing, Platform, SupportsAcknowledgement, SupportsReopening
from bot.questions.arrival_order import ArrivalOrder
from bot.questions.ask import AskDependencies, AskService
from bot.questions.contact_sheet import ContactSheets
from bot.questions.delete import DeleteService
from bot.questions.edit import EditService
from bot.questions.film_sheet import FilmSheets
from bot.questions.join_messages import MessageJoiner
from bot.questions.read import ReadService
from bot.questions.recent_pictures import RecentPictures
from bot.questions.which_picture import PictureFinder
from bot.questions.zoom_grid import ZoomGrids
from bot.reading.picture_words import PictureWords
from bot.reading.reader import WritingReader
from bot.resolve_answer_settings import ScopedSettings
from bot.sanitize import sanitize_incoming
from bot.store import forgetting, graph, history, jobs, read_marks, tickets
from bot.store.database import Database
from bot.store.move_place import move_place
from bot.store.pictures import PictureFiles
from bot.texts import Texts
from engine.tracing import span

SWITCH_SECONDS = 0.000_5
EDITABLE = timedelta(minutes=1)  # after it was sent: an edit can turn a message into a question

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Resources:
    """What the bot works with; adapters/services.py makes and closes it."""

    database: Database
    files: PictureFiles
    engines: Sequence[Engine]
    intake: Intake
    settings: ScopedSettings
    permissions: Access
    limits: PersonLimits
    commands: CommandRunner
    texts: Texts
    exports: Path  # a folder for the files of exported demos
    reader: WritingReader | None = None  # of the writing in pictures
    name: str = "gander"  # of this bot among those that share the database
    shares_engines: bool = False  # with those
    idle_seconds: float = IDLE_SECONDS  # a conversation that rested longer is over


class EventHandler:
    """One bot. `run` it in a task, `attach` platforms, and `handle` their events. Implements bot.api.Bot."""

    def __init__(self, resources: Resources) -> None:
        r = self._resources = resources
        self._outbox = Outbox(r.database, r.texts)
        lease = Lease(r.database, r.name)
        self._replies = Replies(r.database, self._outbox, r.name, lambda: lease.dead_after)
        pooled = [PooledEngine(engine) for engine in r.engines]
        self._pool = EnginePool(pooled, shared=r.shares_engines)
        self._engine_forgetting = EngineForgetting(r.database, r.name, pooled)
        r.files.tell(self._engine_forgetting.forget)
        self._demo_registry = DemoRegistry(r.database)
        words = PictureWords(r.database, r.files, r.reader)
        looks, steps = CloserLooks(r.database, r.files, r.intake), StepAnswers(r.database, r.files, r.intake, words, r.texts)
        generator = AnswerGenerator(r.database, r.files, r.texts, words, looks, steps)
        self.explainer = Explainer(r.database, generator)
        r.files.tell(self.explainer.forget)
        answer_views = AnswerViews(r.database, self._outbox, r.texts, self._demo_registry.runs_in, r.files, self.explainer.way)
        marked = MarkedPictures(r.files, r.intake, self._outbox, r.texts, r.exports)
        self._dispatcher = Dispatcher(r.database, self._outbox, answer_views, generator, self._pool, r.texts, lease, marked, self.explainer)
        r.limits.seconds_until_room = self._dispatcher.seconds_until_room
        self._live_notices = LiveNotices()
        self._vote_updates = VoteUpdates(r.database, self._outbox, answer_views)
        self._refusals = Refusals(r.texts, r.settings, self._replies, self._live_notices)
        self.demos = DemoService(r.database, r.files, r.texts, self._demo_registry, self._vote_updates, r.exports)
        self.walls = Walls(r.database, r.files, self._dispatcher)
        parts = AskDependencies(r.database, r.files, r.intake, r.settings, r.limits, r.texts, r.idle_seconds, r.name)
        self._arrivals = ArrivalOrder()
        self._joiner, self._recent_pictures = MessageJoiner(self._arrivals), RecentPictures(r.database, r.name, self._reopen)
        self._picture_finder = PictureFinder(r.database, self._recent_pictures, ContactSheets(r.intake, r.exports), r.texts)
        self._ask_service = AskService(parts, self._arrivals, self._picture_finder, self._dispatcher.enqueued)
        self._edit_service = EditService(parts, self._dispatcher)
        self.conversations = ConversationList(r.database, r.files, self._dispatcher, r.texts)
        self._delete_service = DeleteService(r.database, r.files, self._dispatcher, r.texts, r.exports, self._ask_service.read_anew)
        self.actions = CommandActions(
            database=r.database,
            settings=r.settings,
            permissions=r.permissions,
            arrivals=self._arrivals,
            dispatcher=self._dispatcher,
            outbox=self._outbox,
            replies=self._replies,
            pool=self._pool,
            live_notices=self._live_notices,
            demos=self.demos,
            demo_registry=self._demo_registry,
            picture_finder=self._picture_finder,
            read_service=ReadService(parts, self._picture_finder, words),
            film_sheets=FilmSheets(parts, r.exports),
            how_pictures=HowPictures(r.database, self.explainer, r.texts, r.files, r.exports),
            zoom_grids=ZoomGrids(parts, self._picture_finder, r.exports),
            ask_service=self._ask_service,
            delete_service=self._delete_service,
            engine_forgetting=self._engine_forgetting,
        )

    async def run(self) -> NoReturn:
        """Work until cancelled. Unfinished answers go on at the next start."""
        # The database's threads compete with the event loop for the interpreter, which a thread may keep for 5 ms by default.
        sys.setswitchinterval(SWITCH_SECONDS)
        # What was loaded at the start stays: a collection that visits it would stop everything for a tenth of a second.
        gc.freeze()
        await self._engine_forgetting.register()  # before anything can be deleted
        await self._demo_registry.load()
        await self._recent_pictures.load()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._outbox.run())
            tasks.create_task(self._replies.run())
            tasks.create_task(self._live_notices.run())
            tasks.create_task(self._vote_updates.run())
            tasks.create_task(self._recent_pictures.run())
            tasks.create_task(self._engine_forgetting.run())
            tasks.create_task(self._demo_registry.follow())
            await self._dispatcher.run()

    async def drain(self) -> None:
        """Finish running answers and start no new ones. To await before `run` is cancelled, for a graceful stop."""
        await self._dispatcher.drain()

    async def measure(self) -> Metrics:
        """The bot's figures as they are now."""
        return await self._dispatcher.measure()

    def attach(self, platform: Platform) -> None:
        self._outbox.attach(platform)
        self._dispatcher.attached()
        self._replies.attached(platform)

    def detach(self, platform: Platform) -> None:
        self._outbox.detach(platform)

    def served(self, platform: str) -> bool:
        """Whether the platform of this name was ever attached since the start."""
        return self._outbox.was_attached(platform)

    def arriving(self, place: Place, event: str, author: Author) -> AbstractContextManager[Arrival]:
        return self._arrivals.arriving(place.key, event, author.key)

    async def handle(self, incoming: Incoming) -> None:
        """Process one event to its end (see bot/platform.py). The text of a message is never logged."""
        received = time()
        incoming = self._demo_registry.as_question(sanitize_incoming(incoming))
        with ExitStack() as stack:
            arrival = incoming.arrival or stack.enter_context(self.arriving(incoming.place, incoming.id, incoming.author))
            arrival.asks, arrival.read = incoming.command is None, True
            self._recent_pictures.note(incoming, asked=incoming.address is not Address.OVERHEARD)
            if question := self._joiner.offer(incoming):
                await question.over.wait()
                return
            incoming = replace(incoming, arrival=arrival)
            stack.enter_context(self._joiner.expecting(incoming))
            if await self._resources.permissions.is_for_bot(incoming):
                stack.enter_context(span("receive", begun=received, platform=incoming.place.platform, message=incoming.id))
                async with self._replying_refusals(incoming):
                    await self._process(incoming)
            else:
                await self._acknowledge(incoming)

    @asynccontextmanager
    async def _replying_refusals(self, incoming: Incoming) -> AsyncIterator[None]:
        """Reply with the Refusal that this block raises, to the person who caused the event."""
        try:
            yield
        except Withdrawn:
            if incoming.command:  # the person waits for a reply
                await self._refusals.say(incoming, Refusal("answer.stopped"))
        except Ignored as ignored:
            log.info("ignored", place=incoming.place.key, person=incoming.author.key)
            if incoming.unseen or self._refusals.counts(incoming, ignored):  # nobody else has one message more to read
                await self._refusals.say(incoming, ignored)
            else:
                await self._acknowledge(incoming)
        except Refusal as refusal:
            log.info("refused", place=incoming.place.key, person=incoming.author.key, reason=refusal.key)
            await self._refusals.say(incoming, refusal)

    async def moved(self, old: Place, new: Place) -> None:
        await self._arrivals.settled(old.channel_key)
        await self._resources.permissions.move_place(old, new)
        await self._resources.database.write(move_place, old, new)
        self._ask_service.read_anew()
        await self._demo_registry.load()

    async def keep_ticket(self, place: Place, event: str, data: Mapping[str, str | int], seconds: float) -> None:
        await self._resources.database.write(tickets.keep, place, event, data, time(), time() + seconds)

    async def tickets(self, platform: str) -> tuple[Ticket, ...]:
        return await self._resources.database.read(tickets.valid, platform, time())

    async def keep_seen(self, events: Mapping[Place, str]) -> None:
        await self._resources.database.write(read_marks.keep, self._resources.name, events, time())

    async def last_seen(self, platform: str) -> Mapping[Place, str]:
        return await self._resources.database.read(read_marks.of, platform)

    async def caps(self, place: Place, author: Author) -> Mapping[str, float]:
        return await self._resources.settings.caps(place, author)

    async def closed(self, place: Place, *, server: bool = False) -> None:
        places = (place.key,) if place.thread else await self._resources.database.read(forgetting.places_around, place, server)
        for key in {place.key, *places}:
            await self._arrivals.drop(None, key)
        await self._dispatcher.stop(await self._resources.database.read(jobs.unfinished, places=places))

    async def joined(self, place: Place, author: Author, locale: str | None) -> None:
        added = Incoming("", place, author, Address.COMMAND, datetime.now(UTC), locale=locale)
        texts, language = self._resources.texts.on(place.platform), await self._language(added)
        try:
            await self._resources.permissions.check(added)
        except Refusal:
            self._outbox.send_notice(place, Outgoing(texts.render(language, "greeting.closed", channel=place.channel_key)), None)
        else:
            self._outbox.send_notice(place, Outgoing(texts.render(language, "greeting.open", channel=place.channel_key)), None)

    async def history(self, place: Place, limit: int = 200) -> tuple[Remembered, ...]:
        found = await self._resources.database.read(history.messages, place.key, limit)
        return tuple(remembered(self._resources.texts, message) for message in found)

    async def picture(self, place: Place, sha256: str) -> Path | None:
        shown = await self._resources.database.read(history.shown_here, place.key, sha256)
        return self._resources.files.path(sha256) if shown else None

    def explanation(self, place: Place, answer: int) -> Explanation | None:
        return self._dispatcher.explanations.of(place.key, answer)

    async def withdraw(self, place: Place, message_id: str, *, answers: bool) -> tuple[str, ...]:
        self._recent_pictures.drop(place.key, message_id)
        await self._arrivals.withdraw(place.key, message_id)
        return await self._delete_service.withdraw(place, message_id, answers=answers)

    async def _reopen(self, platform: str, reference: str) -> AsyncIterator[bytes]:
        """A file that came before a restart."""
        reached = self._outbox.platform(Place(platform, "")) if platform in self._outbox.connected else None
        if not isinstance(reached, SupportsReopening):
            raise DeliveryError(f"{platform} can't be asked for a file again")
        async for chunk in reached.reopen(reference):
            yield chunk

    async def _process(self, incoming: Incoming) -> None:
        """What is done with an event that is for the bot, step by step. Raises Refusal where one says no."""
        await self._resources.settings.prefetch(incoming.place, incoming.author)
        if incoming.edited:
            await self._edit(incoming)
            return
        if incoming.command and await self._replies.was_handled(incoming):  # of questions the transaction finds out that stores them
            await self._acknowledge(incoming)
            return
        if not self._resources.commands.is_upkeep(incoming):
            await self._check_access(incoming)
        if incoming.address is Address.SHOWN:
            self._demo_registry.check_slow_mode(incoming)
        await self._resources.limits.check(incoming)
        if incoming.command is None:
            incoming = await self._joiner.gather(incoming)
            message = await self._ask_service.ask(incoming, incoming.text.strip(), {})
        else:
            with incoming.arrival.slow() if incoming.arrival else nullcontext():
                message = await self._resources.commands.run(incoming, self.actions)
        if message is not None:
            await self._replies.send(incoming, message)
        elif incoming.command:
            await self._replies.mark_handled(incoming)
            await self._acknowledge(incoming)

    async def _acknowledge(self, incoming: Incoming) -> None:
        """Tell the platform that nothing more is going to be replied to this event by itself."""
        platform = self._outbox.platform(incoming.place)
        if isinstance(platform, SupportsAcknowledgement):
            await platform.acknowledge(incoming)

    async def _edit(self, incoming: Incoming) -> None:
        """The author edited a message: ask the question anew. A message that was no question before the edit is asked now."""
        await self._resources.limits.check(incoming)
        if (asked := self._resources.commands.asked(incoming)) is None:
            return
        await self._arrivals.turn(incoming.arrival, follows=True)
        known = await self._resources.database.read(graph.find, incoming.place.key, incoming.id)
        if known is None and datetime.now(UTC) - incoming.sent_at < EDITABLE:
            await self._resources.permissions.check(incoming)
            await self.actions.ask(replace(incoming, command=None), *asked)
        else:
            await self._edit_service.edit(incoming, *asked)

    async def _check_access(self, incoming: Incoming) -> None:
        try:
            await self._resources.permissions.check(incoming)
        except Refusal as refusal:
            if incoming.address is Address.SHOWN:  # the person only posted a picture, and asked for nothing
                raise Ignored(refusal.key) from None
            raise

    async def _language(self, incoming: Incoming) -> str:
        return (await self._resources.settings.resolve(incoming.place, incoming.author, {}, incoming.locale)).settings.language
