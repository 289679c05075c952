"""Stores a question and enqueues its answer, in one transaction: afterwards nothing can lose it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import time

import structlog
from sqlalchemy import Connection

from bot import conversation
from bot.access.rate_limits import PersonLimits
from bot.answer_settings import VariedSetting
from bot.answers.generate import expected_cost
from bot.conversation import SHARED
from bot.errors import Refusal
from bot.media.intake import Intake
from bot.message import Attachment, Author, Incoming, Picture, Value
from bot.questions.arrival_order import ArrivalOrder
from bot.sanitize import called
from bot.settings.resolve import ResolvedSettings, ScopedSettings
from bot.store import events, graph, jobs
from bot.store.database import Database
from bot.store.graph import Asked, NewMessage, Node
from bot.store.jobs import NewJob
from bot.store.pictures import PictureFiles
from bot.store.tables import Finish
from bot.texts import Texts

KNOWN = 10_000  # people and places that need no second introduction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, its pictures taken in and its settings resolved."""

    incoming: Incoming
    text: str
    pictures: tuple[Picture, ...]
    spoiler: bool
    resolved: ResolvedSettings
    varied: VariedSetting | None = None
    words: str = ""  # of the person, without what they quote

    @property
    def cost(self) -> int:
        settings = self.resolved.settings
        return sum(
            expected_cost(self.text, len(self.pictures), each) for each in (self.varied.each(settings) if self.varied else (settings,))
        )

    @property
    def shows_anothers(self) -> bool:
        """The pictures are those of the message that it replies to."""
        return bool(self.pictures) and not self.incoming.attachments


@dataclass(frozen=True, slots=True)
class AskDependencies:
    """What asking works with."""

    database: Database
    files: PictureFiles
    intake: Intake
    settings: ScopedSettings
    limits: PersonLimits
    texts: Texts
    idle_seconds: float
    name: str  # of this bot among those on one database


class AskService:
    """Questions in. `enqueued` is called when one is stored."""

    def __init__(self, parts: AskDependencies, arrivals: ArrivalOrder, enqueued: Callable[[], None]) -> None:
        self._parts = parts
        self._arrivals = arrivals
        self._enqueued = enqueued
        self._known: set[tuple[str, str, str]] = set()

    def introduce_anew(self) -> None:
        """Somebody's name was forgotten: whoever asks next is kept as they are called now."""
        self._known.clear()

    async def ask(self, incoming: Incoming, text: str, request: Mapping[str, Value], varied: VariedSetting | None = None) -> None:
        """Raises Refusal; of a file that is no picture, after asking about the pictures beside it. A message that is stored already
        changes nothing. Raises Withdrawn."""
        async with self._arrivals.wanted(incoming.arrival):
            question, refused = await self._read(incoming, text, request, varied)
            await self._arrivals.turn(incoming.arrival, follows=not (question.pictures or incoming.reply_to))
        await self._enqueue(incoming, partial(self._store, question, time()))
        # A picture that was being forgotten while it was shown again would be missing now.
        await self._save(question.pictures)
        if refused is not None:
            raise refused

    async def _read(
        self, incoming: Incoming, text: str, request: Mapping[str, Value], varied: VariedSetting | None
    ) -> tuple[Question, Refusal | None]:
        """The question with its pictures, fetched beside those of others; and why one of its files is none."""
        if incoming.reply_to is not None:
            await self._arrivals.stored(incoming.arrival, incoming.reply_to.message_id)
        replied = await self._parts.database.read(conversation.replied_to, incoming) if incoming.reply_to else None
        attachments, words = conversation.attachments_meant(incoming, replied), text
        if text or not attachments:
            text = conversation.with_quote(text, incoming.reply_to, stored=replied is not None)
        if not (text or attachments or incoming.reply_to):
            raise Refusal("ask.empty")
        resolved = await self._resolve(incoming, request, varied=varied.setting if varied else "")
        if varied is not None:
            for value in varied.values:  # each within its range and the caps
                await self._resolve(incoming, {varied.setting: value})
        pictures, refused = await self._take(attachments, incoming.author.key)
        resolved = self._named(incoming, resolved)
        return Question(incoming, text, pictures, any(a.spoiler for a in attachments), resolved, varied, words), refused

    def _named(self, incoming: Incoming, resolved: ResolvedSettings) -> ResolvedSettings:
        """Below the answer stands whose picture it is about, where nobody said so."""
        reply, language = incoming.reply_to, resolved.settings.language
        if reply is None or not reply.found:
            return resolved
        mine = reply.author is not None and reply.author.key == incoming.author.key
        name = called(reply.author.name) if reply.author else ""
        about = "answer.about_yours" if mine else "answer.about" if name else "answer.about_earlier"
        return _with_note(resolved, self._parts.texts.render(language, about, name=name))

    async def again(self, incoming: Incoming, asked: Asked, request: Mapping[str, Value]) -> None:
        """Another answer to the same question, beside the first."""
        resolved, now = await self._resolve(incoming, request), time()
        question = Node(asked.question, asked.conversation, asked.person, asked.spoiler)
        answer = partial(answer_to, self._parts.name, incoming, question, resolved, expected_cost(asked.text, 1, resolved.settings), now)
        await self._enqueue(incoming, answer)

    async def resume(self, incoming: Incoming, asked: Asked) -> None:
        """Go on where an answer ran into its limit."""
        if asked.finish != Finish.LENGTH:
            raise Refusal("answer.nothing_to_continue")
        resolved, now = await self._resolve(incoming, {}), time()
        text = self._parts.texts.render(resolved.settings.language, "answer.go_on")
        answer = Node(asked.answer, asked.conversation, asked.person, asked.spoiler)
        await self._enqueue(incoming, partial(_go_on, self._parts.name, incoming, answer, text, resolved, now))

    async def _resolve(self, incoming: Incoming, request: Mapping[str, Value], *, varied: str = "") -> ResolvedSettings:
        return await self._parts.settings.resolve(incoming.place, incoming.author, request, incoming.locale, varied=varied)

    async def _take(self, attachments: Sequence[Attachment], whose: str) -> tuple[tuple[Picture, ...], Refusal | None]:
        """The pictures, and why one of the files is none. Raises that Refusal where no picture is left."""
        async with asyncio.TaskGroup() as tasks:
            taking = [tasks.create_task(self._take_one(attachment, whose)) for attachment in attachments]
        taken = [task.result() for task in taking]
        pictures = tuple(each for each in taken if isinstance(each, Picture))
        refused = next((each for each in taken if isinstance(each, Refusal)), None)
        if refused is not None and not pictures:
            raise refused
        await self._save(pictures)
        return pictures, refused

    async def _take_one(self, attachment: Attachment, whose: str) -> Picture | Refusal:
        try:
            return await self._parts.intake.take(attachment, whose)
        except Refusal as refusal:
            return refusal

    async def _save(self, pictures: Sequence[Picture]) -> None:
        try:
            for picture in pictures:
                await self._parts.files.save(picture.sha256, picture.data)
        except OSError as error:
            log.error("picture_not_kept", reason=str(error))
            raise Refusal("picture.not_kept") from error

    async def _enqueue(self, incoming: Incoming, work: Callable[[Connection], object]) -> None:
        """Do `work` in a transaction, of somebody who may ask one more question and whom the store knows."""
        introduction = (incoming.place.key, incoming.author.key, incoming.author.name)
        await self._parts.database.write(self._admit, incoming, introduction in self._known, work)
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known.add(introduction)
        self._enqueued()

    def _admit(self, connection: Connection, incoming: Incoming, known: bool, work: Callable[[Connection], object]) -> None:
        if not incoming.author.alone:
            self._parts.limits.admit(jobs.load(connection, incoming.author.key), incoming)
        if not known:
            graph.introduce(connection, incoming.place, incoming.author)
        if self._is_new(connection, incoming):
            work(connection)

    def _is_new(self, connection: Connection, incoming: Incoming) -> bool:
        """Whether the event is not dealt with. A question's row is its message; what was refused has an event's, as commands have."""
        if incoming.command is None:
            return incoming.edited or not events.taken(connection, incoming.place.key, incoming.id)
        # A command's answer is enqueued and the command dealt with in one transaction, or a kill between them would ask twice.
        return events.take(connection, incoming.place, incoming.id, self._parts.name, time())

    def _store(self, question: Question, now: float, connection: Connection) -> None:
        incoming = question.incoming
        graph.add_pictures(connection, question.pictures, now)
        replaced = _replaced(connection, incoming)
        parent = graph.parent_of(connection, replaced.id) if replaced else self._parent(connection, question, now)
        if not question.pictures:
            question = self._with_sight(connection, question, parent)
        for joined in incoming.joined:
            events.take(connection, incoming.place, joined, self._parts.name, now)
        shown = () if question.shows_anothers else question.pictures
        message = _child(incoming, parent, question.text, now, platform_id=incoming.id, pictures=shown, spoiler=question.spoiler)
        if replaced:  # the first question of a conversation has no parent to have it from
            message = replace(message, conversation=replaced.conversation)
        stored = graph.add(connection, message)
        if stored is not None:
            asked = _node(stored, message)
            answer_to(self._parts.name, incoming, asked, question.resolved, question.cost, now, connection, question.varied)

    def _with_sight(self, connection: Connection, question: Question, parent: Node | None) -> Question:
        """A question that shows nothing: about the picture that the conversation is about. Raises Refusal where it needs one and there
        is none; says so where a newer one stands there."""
        incoming, words = question.incoming, question.words
        meant = incoming.reply_to is not None and incoming.reply_to.for_picture
        pointed = conversation.speaks_of_picture(words) or (parent is None and conversation.points_at_nothing(words))
        needed = meant or pointed or not question.text
        if not (needed or incoming.newer):
            return question
        seen = conversation.sight(graph.branch(connection, parent.id)) if parent else None
        if seen is None and needed:
            raise Refusal("ask.no_picture_there" if meant else incoming.blind or "ask.picture_needed")
        if seen is None or not incoming.newer or incoming.reply_to is not None:  # who replies has said which is meant
            return question
        note = self._parts.texts.render(question.resolved.settings.language, "answer.about_older")
        return replace(question, resolved=_with_note(question.resolved, note))

    def _parent(self, connection: Connection, question: Question, now: float) -> Node | None:
        incoming = question.incoming
        if replied := conversation.replied_to(connection, incoming):
            return replied
        if question.shows_anothers:
            return _replied_picture(connection, question, now)
        since, memory = now - self._parts.idle_seconds, question.resolved.settings.memory
        return conversation.continued(connection, incoming, memory, shows_picture=bool(question.pictures), since=since)


def answer_to(
    owner: str,
    incoming: Incoming,
    question: Node,
    resolved: ResolvedSettings,
    cost: int,
    now: float,
    connection: Connection,
    varied: VariedSetting | None = None,
) -> int | None:
    """The answer to come and its job, of this bot; what follows here goes on after it. Its id."""
    place, person = incoming.place, incoming.author.key
    key, spoiler, footer = question.conversation, question.spoiler, resolved.footer
    unsaid = NewMessage(place.key, None, question.id, key, person, "assistant", "", now, spoiler=spoiler, footer=footer)
    answer = graph.add(connection, unsaid)
    if answer is not None:
        jobs.enqueue(connection, NewJob(answer, question.id, place, person, resolved.settings, cost, owner, varied), now)
        arrival = incoming.arrival
        if arrival is None or arrival.points:
            graph.point(connection, place.key, (SHARED, person), answer, arrival.came if arrival else now)
    return answer


def _go_on(owner: str, incoming: Incoming, answer: Node, text: str, resolved: ResolvedSettings, now: float, connection: Connection) -> None:
    message = _child(incoming, answer, text, now, platform_id=None)
    stored = graph.add(connection, message)
    if stored is not None:
        answer_to(owner, incoming, _node(stored, message), resolved, expected_cost(text, 1, resolved.settings), now, connection)


def _replaced(connection: Connection, incoming: Incoming) -> Node | None:
    """The person's own question that this one is asked instead of."""
    node = graph.find(connection, incoming.place.key, incoming.instead_of) if incoming.instead_of else None
    return node if node and node.person == incoming.author.key else None


def _replied_picture(connection: Connection, question: Question, now: float) -> Node | None:
    """Keep the replied-to message for its pictures: others may ask about them too. Its words were not meant for us."""
    incoming, reply = question.incoming, question.incoming.reply_to
    if reply is None:
        return None
    author = reply.author or Author(incoming.place.platform, "", "")
    graph.introduce(connection, incoming.place, author)
    shown = tuple(p.sha256 for p in question.pictures)
    key = secrets.token_hex(8)
    message = NewMessage(incoming.place.key, reply.message_id, None, key, author.key, "user", "", now, shown, question.spoiler)
    stored = graph.add(connection, message)
    return None if stored is None else _node(stored, message)


def _child(
    incoming: Incoming,
    parent: Node | None,
    text: str,
    now: float,
    *,
    platform_id: str | None,
    pictures: Sequence[Picture] = (),
    spoiler: bool = False,
) -> NewMessage:
    """A person's message after `parent`. What follows a hidden picture is hidden too."""
    return NewMessage(
        place=incoming.place.key,
        platform_id=platform_id,
        parent=parent.id if parent else None,
        conversation=parent.conversation if parent else secrets.token_hex(8),
        person=incoming.author.key,
        role="user",
        text=text,
        at=now,
        sha256s=tuple(picture.sha256 for picture in pictures),
        spoiler=spoiler or bool(parent and parent.spoiler and not pictures),
        unseen=incoming.unseen,
    )


def _node(stored: int, message: NewMessage) -> Node:
    return Node(stored, message.conversation, message.person, message.spoiler)


def _with_note(resolved: ResolvedSettings, note: str) -> ResolvedSettings:
    return replace(resolved, footer=" · ".join(filter(None, (resolved.footer, note))))
