"""Takes a question in: finds its picture, fetches its files, resolves its settings, and stores it with its job in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from time import time
from typing import Any

import structlog

from bot import conversation
from bot.access.rate_limits import PersonLimits
from bot.answer_settings import VariedSetting
from bot.answers.generate import expected_cost
from bot.errors import Refusal
from bot.media.intake import Intake
from bot.message import Attachment, Incoming, Picture, Value
from bot.platform import Outgoing
from bot.questions.arrival_order import ArrivalOrder
from bot.questions.which_picture import PictureChoice, PictureFinder
from bot.resolve_answer_settings import ResolvedSettings, ScopedSettings
from bot.sanitize import safe_name
from bot.store import questions
from bot.store.database import Database
from bot.store.graph import Asked, Node
from bot.store.jobs import WaitingJob
from bot.store.pictures import PictureFiles
from bot.store.questions import NewAnswer, NewQuestion, Submission
from bot.store.tables import Finish
from bot.texts import Texts

MOST_KNOWN = 10_000  # places with a person whose names are remembered as stored

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AskDependencies:
    """What asking works with. `name` tells this bot from others on one database."""

    database: Database
    files: PictureFiles
    intake: Intake
    settings: ScopedSettings
    limits: PersonLimits
    texts: Texts
    idle_seconds: float
    name: str


class AskService:
    """Stores questions. `enqueued` is called after each with its job; None: it was stored before."""

    def __init__(
        self, parts: AskDependencies, arrivals: ArrivalOrder, picture_finder: PictureFinder, enqueued: Callable[[WaitingJob | None], None]
    ) -> None:
        self._parts = parts
        self._arrivals = arrivals
        self._picture_finder = picture_finder
        self._enqueued = enqueued
        self._known: set[tuple[str, str, str]] = set()

    def read_anew(self) -> None:
        """Names and settings were deleted or moved in the store: whoever asks next is stored as they are called now."""
        self._known.clear()
        self._parts.settings.read_anew()

    async def ask(
        self,
        incoming: Incoming,
        text: str,
        request: Mapping[str, Value],
        varied: VariedSetting | None = None,
        *,
        look: Mapping[str, Any] | None = None,
        picture_chosen: bool = False,
    ) -> Outgoing | None:
        """Enqueue the question; None. Where it could mean several pictures, what to say instead: a choice of them (`pick` goes on).

        `look`: how its picture is to be looked at (MessageRow.look). A message that is stored already changes nothing. Raises Refusal; of
        a file that is no picture, after enqueuing the question about the pictures beside it. Raises Withdrawn.
        """
        async with self._arrivals.wanted(incoming.arrival):
            replied = await self._replied_to(incoming)
            if not picture_chosen:
                found = await self._picture_finder.find(incoming, text, replied=replied)
                if not isinstance(found, Incoming):
                    language = (await self._resolve(incoming, {})).settings.language
                    return await self._picture_finder.offer(language, PictureChoice(incoming, text, request, varied, found, look))
                if found.reply_to is not incoming.reply_to:
                    replied = await self._replied_to(found)
                incoming = found
            question, refused = await self._read(incoming, text, request, varied, replied, (look or {}).get("frames"))
            await self._arrivals.turn(incoming.arrival, follows=not (question.pictures or incoming.reply_to))
        question = replace(question, look=look, needs_picture=question.needs_picture or look is not None)
        self._stored(incoming, await self._parts.database.write(questions.store_question, self._submission(incoming), question))
        # A picture that was being forgotten while it was shown again would be missing now.
        await self._save(question.pictures)
        if refused is not None:
            raise refused
        return None

    async def pick(self, incoming: Incoming, name: str) -> None:
        """Ask what waits for its picture to be chosen, about the one of this name."""
        meant, choice = self._picture_finder.chosen(incoming, name)
        await self.ask(meant, choice.question, choice.request, choice.varied, look=choice.look, picture_chosen=True)

    async def again(self, incoming: Incoming, asked: Asked, request: Mapping[str, Value]) -> None:
        """Another answer to the same question, beside the first."""
        resolved = await self._resolve(incoming, request)
        answer = new_answer(asked.text, 1, resolved)
        self._stored(incoming, await self._parts.database.write(questions.store_again, self._submission(incoming), asked, answer))

    async def resume(self, incoming: Incoming, asked: Asked) -> None:
        """Go on where an answer ran into its limit."""
        if asked.finish != Finish.LENGTH:
            raise Refusal("answer.nothing_to_continue")
        resolved = await self._resolve(incoming, {})
        text = self._parts.texts.render(resolved.settings.language, "answer.go_on")
        answer = new_answer(text, 1, resolved)
        job = await self._parts.database.write(questions.store_continuation, self._submission(incoming), asked, text, answer)
        self._stored(incoming, job)

    async def _replied_to(self, incoming: Incoming) -> Node | None:
        """The stored message that this one replies to, after it is stored if it is on its way."""
        if incoming.reply_to is None:
            return None
        await self._arrivals.stored(incoming.arrival, incoming.reply_to.message_id)
        return await self._parts.database.read(questions.replied_to, incoming)

    async def _read(
        self,
        incoming: Incoming,
        text: str,
        request: Mapping[str, Value],
        varied: VariedSetting | None,
        replied: Node | None,
        frames: int | None,
    ) -> tuple[NewQuestion, Refusal | None]:
        """The question with its pictures, fetched beside those of others, `frames` of each film; and why one of its files is none."""
        attachments, words, quoted = conversation.attachments_meant(incoming, replied), text, None
        if text or not attachments:
            text, quoted = conversation.with_quote(text, incoming.reply_to, stored=replied is not None)
        if not (text or attachments or incoming.reply_to):
            raise Refusal("ask.empty")
        resolved = await self._resolve(incoming, request, varied=varied.setting if varied else "")
        if varied is not None:
            for value in varied.values:  # each within its range and the caps
                await self._resolve(incoming, {varied.setting: value})
        with incoming.arrival.slow() if incoming.arrival and attachments else nullcontext():
            pictures, refused = await self._take(attachments, incoming.author.key, frames)
        noted = self._with_still_note(attachments, self._with_owner_note(incoming, resolved))
        answer = new_answer(text, len(pictures), noted, varied)
        for_picture = incoming.reply_to is not None and incoming.reply_to.for_picture
        question = NewQuestion(
            text=text,
            pictures=pictures,
            spoiler=any(each.spoiler for each in attachments),
            answer=answer,
            idle_seconds=self._parts.idle_seconds,
            needs_picture=for_picture or conversation.speaks_of_picture(words) or not text,
            needs_picture_first=conversation.points_at_nothing(words),
            no_picture="ask.no_picture_there" if for_picture else incoming.blind or "ask.picture_needed",
            quoted=quoted,
            older_note=self._parts.texts.render(resolved.settings.language, "answer.about_older"),
        )
        return question, refused

    def _with_owner_note(self, incoming: Incoming, resolved: ResolvedSettings) -> ResolvedSettings:
        """Below the answer stands whose picture it is about, where the bot found the picture by itself."""
        reply, language = incoming.reply_to, resolved.settings.language
        if reply is None or not reply.found:
            return resolved
        mine = reply.author is not None and reply.author.key == incoming.author.key
        name = safe_name(reply.author.name) if reply.author else ""
        about = "answer.about_yours" if mine else "answer.about" if name else "answer.about_earlier"
        note = self._parts.texts.render(language, about, name=name)
        return replace(resolved, footer=" · ".join(filter(None, (resolved.footer, note))))

    def _with_still_note(self, attachments: Sequence[Attachment], resolved: ResolvedSettings) -> ResolvedSettings:
        """Below the answer stands that something moves of which only a still was seen."""
        if not any(each.still for each in attachments):
            return resolved
        note = self._parts.texts.render(resolved.settings.language, "answer.still")
        return replace(resolved, footer=" · ".join(filter(None, (resolved.footer, note))))

    async def _resolve(self, incoming: Incoming, request: Mapping[str, Value], *, varied: str = "") -> ResolvedSettings:
        return await self._parts.settings.resolve(incoming.place, incoming.author, request, incoming.locale, varied=varied)

    async def _take(self, attachments: Sequence[Attachment], whose: str, frames: int | None) -> tuple[tuple[Picture, ...], Refusal | None]:
        """The pictures, and why one of the files is none. Raises that Refusal where no picture is left."""
        async with asyncio.TaskGroup() as tasks:
            taking = [tasks.create_task(self._take_one(attachment, whose, frames)) for attachment in attachments]
        taken = [task.result() for task in taking]
        pictures = tuple(picture for each in taken if not isinstance(each, Refusal) for picture in each)
        refused = next((each for each in taken if isinstance(each, Refusal)), None)
        if refused is not None and not pictures:
            raise refused
        await self._save(pictures)
        return pictures, refused

    async def _take_one(self, attachment: Attachment, whose: str, frames: int | None) -> tuple[Picture, ...] | Refusal:
        try:
            return await self._parts.intake.take_all(attachment, whose, frames)
        except Refusal as refusal:
            return refusal

    async def _save(self, pictures: Sequence[Picture]) -> None:
        try:
            for picture in pictures:
                await self._parts.files.save_with_original(picture)
        except OSError as error:
            log.error("picture_not_kept", reason=str(error))
            raise Refusal("picture.not_kept") from error

    def _submission(self, incoming: Incoming) -> Submission:
        admit = None if incoming.author.alone else partial(self._parts.limits.admit, incoming=incoming)
        return Submission(incoming, self._parts.name, time(), _introduction(incoming) in self._known, admit)

    def _stored(self, incoming: Incoming, job: WaitingJob | None) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known.add(_introduction(incoming))
        if job is not None:
            log.info("question_taken", job=job.name, platform=incoming.place.platform, message=incoming.id)
        self._enqueued(job)


def _introduction(incoming: Incoming) -> tuple[str, str, str]:
    """What is stored of a place and a person when a question comes: once is enough while nothing of it changes."""
    return incoming.place.key, incoming.author.key, incoming.author.name


def new_answer(text: str, pictures: int, resolved: ResolvedSettings, varied: VariedSetting | None = None) -> NewAnswer:
    """The answer to a question of this text and so many pictures."""
    columns = varied.each(resolved.settings) if varied else (resolved.settings,)
    return NewAnswer(resolved.settings, resolved.footer, sum(expected_cost(text, pictures, each) for each in columns), varied)
