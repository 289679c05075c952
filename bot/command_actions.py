"""Carries out what commands ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.access.permissions import Access
from bot.answer_settings import Memory, VariedSetting
from bot.answers.live_notices import LiveNotices
from bot.delivery.outbox import Outbox
from bot.delivery.replies import Replies, address_to_author, only_author_sees
from bot.demo.registry import DemoRegistry
from bot.demo.service import DemoService
from bot.dispatch.dispatcher import Dispatcher
from bot.dispatch.engine_pool import EnginePool
from bot.engines.engine import EngineState
from bot.engines.forget import EngineForgetting
from bot.errors import Refusal
from bot.insight.how_pictures import HowPictures
from bot.message import Incoming, Value
from bot.platform import Outgoing, SupportsDiagnosis
from bot.questions.arrival_order import ArrivalOrder
from bot.questions.ask import AskService
from bot.questions.delete import DeleteService
from bot.questions.film_sheet import FilmSheet, FilmSheets
from bot.questions.read import ReadService
from bot.questions.which_picture import PictureFinder
from bot.questions.zoom_grid import ZoomGrids
from bot.queue_status import QueueStatus
from bot.reading.picture_words import PictureReading
from bot.regions import Region
from bot.resolve_answer_settings import ScopedSettings
from bot.store import graph, jobs, questions
from bot.store.database import Database
from bot.store.forgetting import ForgetPreview, Forgotten
from bot.store.graph import SHARED, Asked


@dataclass(frozen=True, slots=True)
class CommandActions:
    """One bot's side of its commands. Implements commands.actions.Actions."""

    database: Database
    settings: ScopedSettings
    permissions: Access
    arrivals: ArrivalOrder
    dispatcher: Dispatcher
    outbox: Outbox
    replies: Replies
    pool: EnginePool
    live_notices: LiveNotices
    demos: DemoService
    demo_registry: DemoRegistry
    picture_finder: PictureFinder
    read_service: ReadService
    film_sheets: FilmSheets
    how_pictures: HowPictures
    zoom_grids: ZoomGrids
    ask_service: AskService
    delete_service: DeleteService
    engine_forgetting: EngineForgetting

    async def ask(
        self,
        incoming: Incoming,
        question: str,
        request: Mapping[str, Value],
        varied: VariedSetting | None = None,
        look: Mapping[str, Any] | None = None,
    ) -> None:
        if choice := await self.ask_service.ask(incoming, question, request, varied, look=look):
            await self.replies.send(incoming, choice)

    async def zoom(self, incoming: Incoming, question: str, region: Region) -> None:
        await self.ask(incoming, question, {}, look={"region": region.stored})

    async def steps(self, incoming: Incoming, question: str) -> None:
        await self.ask(incoming, question, {}, look={"steps": True})

    async def zoom_grid(self, incoming: Incoming, question: str, language: str) -> Outgoing:
        return await self.zoom_grids.offer(incoming, question, language)

    async def zoom_cell(self, incoming: Incoming, name: str) -> None:
        await self.zoom(*self.zoom_grids.chosen(incoming, name))

    async def find(self, incoming: Incoming, thing: str, question: str) -> None:
        known = [state.health for state in self.pool.states() if state.health]
        if known and not any(health.finds for health in known):
            raise Refusal("find.no_places")
        await self.ask(incoming, question, {}, look={"find": thing})

    async def compare(self, incoming: Incoming, question: str, varied: VariedSetting) -> None:
        await self.ask(incoming, question, {}, varied)

    async def pick(self, incoming: Incoming, name: str) -> None:
        await self.ask_service.pick(incoming, name)

    async def again(self, incoming: Incoming, answer_id: int | None, request: Mapping[str, Value]) -> None:
        await self.ask_service.again(incoming, await self._answer_of_person(incoming, answer_id), request)

    async def resume(self, incoming: Incoming, answer_id: int | None) -> None:
        await self.ask_service.resume(incoming, await self._answer_of_person(incoming, answer_id))

    async def frames(self, incoming: Incoming) -> FilmSheet:
        return await self.film_sheets.make(incoming)

    async def ask_frames(self, incoming: Incoming, question: str, count: int) -> None:
        reply = incoming.reply_to
        stored = reply is None or await self.database.read(questions.replied_to, incoming) is not None
        if not incoming.attachments and stored:
            incoming = replace(incoming, attachments=(await self.film_sheets.film(incoming),))
        await self.ask(incoming, question, {}, look={"frames": count})

    async def read(self, incoming: Incoming) -> PictureReading:
        return await self.read_service.read(incoming)

    async def how(self, incoming: Incoming, answer_id: int | None, language: str) -> Outgoing:
        if answer_id is None:
            answer_id = (await self._answer_of_person(incoming, None)).answer
        private = incoming.place.private or self.outbox.platform(incoming.place).limits.private_files
        return await self.how_pictures.show(answer_id, incoming.place, language, private=private)

    async def stop(self, incoming: Incoming, answer_id: int | None) -> int:
        if answer_id is not None:
            return await self.dispatcher.stop([(await self._answer_of_person(incoming, answer_id)).answer])
        coming = await self.arrivals.drop(incoming.author.key, incoming.place.key, but=incoming.arrival)
        mine = await self.database.read(jobs.unfinished, person=incoming.author.key, places=[incoming.place.key])
        return coming + await self.dispatcher.stop(mine)

    async def reset(self, incoming: Incoming) -> None:
        resolved = await self.settings.resolve(incoming.place, incoming.author, {}, incoming.locale)
        personal = resolved.settings.memory is Memory.PERSONAL
        persons = [incoming.author.key] if personal else [incoming.author.key, SHARED]
        self.arrivals.begin_afresh(incoming.arrival, incoming.author.key if personal else None)
        await self.database.write(graph.unpoint, incoming.place.key, persons)

    async def forget(self, incoming: Incoming) -> Forgotten:
        self.picture_finder.forget(incoming.author.key)
        self.zoom_grids.forget(incoming.author.key)
        await self.arrivals.drop(incoming.author.key, but=incoming.arrival)
        await self.demo_registry.forget(incoming.author.key)
        return await self._with_owed(await self.delete_service.person(incoming.author.key))

    async def held(self, incoming: Incoming, person: str | None, *, channel: bool) -> ForgetPreview:
        if not (person or channel):
            return await self.delete_service.held(incoming.author.key)
        await self._check_moderates(incoming)
        return await self.delete_service.held_here(incoming.place, person)

    async def forget_here(self, incoming: Incoming, person: str | None) -> Forgotten:
        await self._check_moderates(incoming)
        whose = f"{incoming.place.platform}:{person}" if person else None
        await self.arrivals.drop(whose, incoming.place.key, but=incoming.arrival)
        return await self._with_owed(await self.delete_service.here(incoming.place, person))

    async def queue(self, incoming: Incoming) -> QueueStatus:
        queue = await self.dispatcher.queue_snapshot()
        answers = await self.database.read(jobs.unfinished, person=incoming.author.key)
        mine = tuple(queue.positions[answer] for answer in answers if answer in queue.positions)
        return QueueStatus(queue.waiting, queue.running, self.dispatcher.tokens_per_second, mine)

    async def follow_line(self, incoming: Incoming, words: Callable[[QueueStatus], Outgoing]) -> None:
        async def now() -> Outgoing:
            message = words(await self.queue(incoming))
            return address_to_author(incoming, message, private=message.private and only_author_sees(incoming))

        whose = f"{incoming.place.key} {incoming.author.key}"
        await self.live_notices.keep_updated(whose, lambda message: self.outbox.send_notice(incoming.place, message, incoming.id), now)

    def file_bytes(self, incoming: Incoming) -> int | None:
        return self.outbox.platform(incoming.place).limits.file_bytes

    def announce(self, incoming: Incoming, message: Outgoing) -> None:
        # In a private chat it is shown as a reply to the command.
        self.outbox.send_notice(incoming.place, message, incoming.id if incoming.place.private else None)

    def tell_privately(self, incoming: Incoming, message: Outgoing) -> bool:
        here = only_author_sees(incoming)  # else it is sent to their own chat
        self.outbox.send_notice(incoming.place, address_to_author(incoming, message, private=True), incoming.id if here else None)
        return not here

    async def engines(self) -> tuple[EngineState, ...]:
        return self.pool.states()

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        platform = self.outbox.platform(incoming.place)
        findings = await platform.diagnose(incoming) if isinstance(platform, SupportsDiagnosis) else ()
        try:
            await self.permissions.check(incoming)
        except Refusal as refusal:
            return (refusal.key, *findings)
        return findings

    async def _with_owed(self, gone: Forgotten) -> Forgotten:
        return replace(gone, owed=await self.engine_forgetting.still_owed())

    async def _check_moderates(self, incoming: Incoming) -> None:
        if not (incoming.place.private or await self.permissions.moderates(incoming)):
            raise Refusal("forget.not_yours")

    async def _answer_of_person(self, incoming: Incoming, answer_id: int | None) -> Asked:
        """The answer of this id, or the person's newest one here. Refusal where there is none, or it is another person's."""
        asked = await self.database.read(graph.asked, incoming.place.key, answer_id, incoming.author.key)
        if asked is None:
            raise Refusal("answer.unknown")
        if asked.person != incoming.author.key and not await self.permissions.moderates(incoming):
            raise Refusal("answer.not_yours")
        return asked
