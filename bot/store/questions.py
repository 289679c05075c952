"""Stores a question with the answer to come and its job, in one transaction: a kill leaves either all three or none.

Functions take the connection of the caller's transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, select

from bot.answer_settings import AnswerSettings, Memory, VariedSetting
from bot.errors import Refusal
from bot.message import Author, Incoming, Picture
from bot.store import deliveries, events, graph, jobs
from bot.store.database import insert
from bot.store.graph import SHARED, Asked, NewMessage, Node
from bot.store.jobs import BegunAnswer, NewJob, QueueLoad, WaitingJob
from bot.store.tables import MessagePictureRow, MessageRow, PictureRow

EDITABLE_SECONDS: Final = 15.0  # after an answer was begun: who corrects a slip does it at once


@dataclass(frozen=True, slots=True)
class Submission:
    """One event that asks for an answer. `admit` raises Refusal where the queue has no room for this person's question; None: no limit."""

    incoming: Incoming
    owner: str  # the bot that was asked
    at: float  # Unix seconds
    known: bool  # this place and this person's name are stored as they are now
    admit: Callable[[QueueLoad], None] | None


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """The answer to come. `cost`: expected tokens of prompt and answer, beams counted n-fold."""

    settings: AnswerSettings
    footer: str
    cost: int
    varied: VariedSetting | None = None


@dataclass(frozen=True, slots=True)
class NewQuestion:
    """What is asked. Its pictures lie on disk already."""

    text: str
    pictures: tuple[Picture, ...]
    spoiler: bool
    answer: NewAnswer
    idle_seconds: float  # a conversation that rested longer is over
    needs_picture: bool  # it makes no sense without a picture of its own or of its conversation
    needs_picture_first: bool  # the same, where nothing was said before it
    quoted: str | None  # whose words (key) stand quoted at the head of `text`
    no_picture: str  # the text that tells the person so
    older_note: str  # for the footer, where a newer picture stands in the channel than the one that it is about
    look: Mapping[str, Any] | None = None  # MessageRow.look


SHEET: Final = "sheet"  # MessagePictureRow.region of an answer's picture


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a stored picture (its sha256). `region`: `Region.stored`."""

    part_of: str
    region: str
    picture: Picture


def store_question(connection: Connection, submission: Submission, question: NewQuestion) -> WaitingJob | None:
    """Enqueue an answer to it; None: the event is stored already. Raises Refusal: the queue is full, or the question lacks a picture."""
    if not _is_new(connection, submission):
        return None
    incoming, now = submission.incoming, submission.at
    graph.add_pictures(connection, question.pictures, now)
    replaced = _replaced(connection, incoming)
    parent = graph.parent_of(connection, replaced.id) if replaced else _parent(connection, submission, question)
    answer = question.answer if question.pictures else _about_earlier_picture(connection, incoming, question, parent)
    for joined in incoming.joined:
        events.take(connection, incoming.place, joined, submission.owner, now)
    shown = question.pictures if incoming.attachments else ()  # without own attachments they are those of the replied-to message
    message = _child(incoming, parent, question.text, now, platform_id=incoming.id, pictures=shown, spoiler=question.spoiler)
    if replaced:  # the first question of a conversation has no parent to have it from
        message = replace(message, conversation=replaced.conversation)
    stored = graph.add(connection, replace(message, quoted=question.quoted, look=question.look))
    return None if stored is None else jobs.enqueue(connection, _new_job(submission, _node(stored, message), answer), now)


def store_again(connection: Connection, submission: Submission, asked: Asked, answer: NewAnswer) -> WaitingJob | None:
    """Enqueue another answer to a stored question, beside the first. None and Refusal as of `store_question`."""
    if not _is_new(connection, submission):
        return None
    question = Node(asked.question, asked.conversation, asked.person, asked.spoiler)
    return jobs.enqueue(connection, _new_job(submission, question, answer), submission.at)


def store_continuation(connection: Connection, submission: Submission, asked: Asked, text: str, answer: NewAnswer) -> WaitingJob | None:
    """Enqueue an answer that goes on from another one: `text` asks for it. None and Refusal as of `store_question`."""
    if not _is_new(connection, submission):
        return None
    parent = Node(asked.answer, asked.conversation, asked.person, asked.spoiler)
    message = _child(submission.incoming, parent, text, submission.at, platform_id=None)
    stored = graph.add(connection, message)
    return None if stored is None else jobs.enqueue(connection, _new_job(submission, _node(stored, message), answer), submission.at)


def edit_question(
    connection: Connection, submission: Submission, text: str, quoted: str | None, picture: Picture | None, answer: NewAnswer
) -> tuple[BegunAnswer, ...]:
    """Change the text, and the picture if there is another, of the person's own question while it waits or was just begun.

    The answers that are made anew: new ones take over the messages that they had begun.
    """
    question = graph.find(connection, submission.incoming.place.key, submission.incoming.id)
    if question is None or question.person != submission.incoming.author.key:
        return ()
    begun = jobs.begun(connection, question.id, submission.at - EDITABLE_SECONDS)
    if picture is not None:  # no word about the other picture is right, however many there are
        growing = jobs.begun(connection, question.id, 0.0)
        still = jobs.unfinished(connection, answers=[each.answer for each in growing])
        begun = tuple(each for each in growing if each.answer in still or each in begun)
    if not (begun or jobs.waits(connection, question.id)):
        return ()
    if picture is not None:
        graph.add_pictures(connection, [picture], submission.at)
        graph.show_instead(connection, question.id, picture.sha256)
    if not graph.reword(connection, question.id, text, quoted) and picture is None:
        return ()
    drop_crops(connection, question.id)
    for old in begun:
        new = jobs.enqueue(connection, _new_job(submission, question, answer), submission.at)
        if new is not None:
            deliveries.hand_over(connection, old.answer, new.answer)
        graph.drop(connection, old.answer)
    return begun


def add_crops(connection: Connection, question: int, crops: Sequence[Crop], at: float) -> bool:
    """Keep these parts behind the pictures of a question's message. False: it was deleted, or what they are of, or it has some already."""
    there = connection.scalar(select(MessageRow.id).where(MessageRow.id == question))
    kept = select(func.count()).select_from(PictureRow).where(PictureRow.sha256.in_({crop.part_of for crop in crops}))
    if there is None or connection.scalar(kept) != len({crop.part_of for crop in crops}):
        return False
    if connection.scalar(select(MessagePictureRow.position).where(*_crops_of(question)).limit(1)) is not None:
        return False
    graph.add_pictures(connection, [crop.picture for crop in crops], at)
    first = connection.scalar(select(func.count()).select_from(MessagePictureRow).where(MessagePictureRow.message == question)) or 0
    rows = [
        {"message": question, "position": position, "sha256": crop.picture.sha256, "part_of": crop.part_of, "region": crop.region}
        for position, crop in enumerate(crops, start=first)
    ]
    connection.execute(insert(connection.dialect.name, MessagePictureRow), rows)
    return True


def drop_crops(connection: Connection, question: int) -> None:
    """The question is asked otherwise now: what to look at closer is found anew."""
    connection.execute(delete(MessagePictureRow).where(*_crops_of(question)))


def keep_sheet(connection: Connection, answer: int, part_of: str, sheet: Picture, at: float) -> bool:
    """Keep a picture of what an answer's steps looked at in a picture (its sha256) with the answer, instead of an earlier try's. It goes
    when either goes. False: one of them was deleted already."""
    there = connection.scalar(select(MessageRow.id).where(MessageRow.id == answer))
    if there is None or connection.scalar(select(PictureRow.sha256).where(PictureRow.sha256 == part_of)) is None:
        return False
    graph.add_pictures(connection, [sheet], at)
    connection.execute(delete(MessagePictureRow).where(MessagePictureRow.message == answer))
    row = {"message": answer, "position": 0, "sha256": sheet.sha256, "part_of": part_of, "region": SHEET}
    connection.execute(insert(connection.dialect.name, MessagePictureRow).values(row))
    return True


def pictures_of_open(connection: Connection, place: str, platform_id: str) -> tuple[str, ...]:
    """The pictures (sha256) of a question that is not answered yet; empty for anything else."""
    question = graph.find(connection, place, platform_id)
    return graph.pictures_in(connection, question.id) if question and jobs.is_open(connection, question.id) else ()


def replied_to(connection: Connection, incoming: Incoming) -> Node | None:
    """The stored message that this one replies to; in a thread, the one in the channel that it began with, too."""
    place, reply = incoming.place.key, incoming.reply_to
    if reply is None:
        return None
    if reply.number is not None:
        return graph.numbered(connection, place, reply.number)
    found = graph.find(connection, place, reply.message_id)
    began = incoming.place.thread == reply.message_id
    return graph.find(connection, incoming.place.channel_key, reply.message_id) if found is None and began else found


def _is_new(connection: Connection, submission: Submission) -> bool:
    """Whether this event is not dealt with, of somebody who may ask one more question and whom the store knows now.

    A question's row is its message; what was refused has an event's row, as commands have.
    """
    incoming = submission.incoming
    if submission.admit is not None:
        submission.admit(jobs.load(connection, incoming.author.key))
    if not submission.known:
        graph.introduce(connection, incoming.place, incoming.author)
    if incoming.command is None:
        return incoming.edited or not events.taken(connection, incoming.place.key, incoming.id)
    # A command's answer is enqueued and the command dealt with in one transaction, or a kill between them would ask twice.
    return events.take(connection, incoming.place, incoming.id, submission.owner, submission.at)


def _new_job(submission: Submission, question: Node, new: NewAnswer) -> NewJob:
    incoming, arrival = submission.incoming, submission.incoming.arrival
    return NewJob(
        question=question,
        place=incoming.place,
        person=incoming.author.key,
        settings=new.settings,
        cost=new.cost,
        owner=submission.owner,
        varied=new.varied,
        footer=new.footer,
        asked_at=(arrival.came if arrival.points else None) if arrival else submission.at,
        waited=arrival.waited if arrival else 0.0,
    )


def _parent(connection: Connection, submission: Submission, question: NewQuestion) -> Node | None:
    """The message that a new question continues; None: it starts a conversation."""
    incoming = submission.incoming
    if replied := replied_to(connection, incoming):
        return replied
    if question.pictures and not incoming.attachments:
        return _store_replied_picture(connection, submission, question)
    memory, replies_to_another = question.answer.settings.memory, incoming.reply_to is not None and not incoming.reply_to.is_ours
    if replies_to_another or question.pictures or memory is Memory.REPLIES:
        return None
    person = SHARED if memory is Memory.SHARED else incoming.author.key
    return graph.newest(connection, incoming.place.key, person, submission.at - question.idle_seconds)


def _about_earlier_picture(connection: Connection, incoming: Incoming, question: NewQuestion, parent: Node | None) -> NewAnswer:
    """The answer to a question without a picture: about that of its conversation. Raises Refusal where it needs one and there is none;
    the footer says so where a newer picture stands in the channel."""
    needed = question.needs_picture or (parent is None and question.needs_picture_first)
    if not (needed or incoming.newer):
        return question.answer
    found = parent is not None and any(turn.shown for turn in graph.branch(connection, parent.id))
    if needed and not found:
        raise Refusal(question.no_picture)
    if not (found and incoming.newer) or incoming.reply_to is not None:  # who replies has said which is meant
        return question.answer
    return replace(question.answer, footer=" · ".join(filter(None, (question.answer.footer, question.older_note))))


def _replaced(connection: Connection, incoming: Incoming) -> Node | None:
    """The person's own question that this one is asked instead of."""
    node = graph.find(connection, incoming.place.key, incoming.instead_of) if incoming.instead_of else None
    return node if node and node.person == incoming.author.key else None


def _store_replied_picture(connection: Connection, submission: Submission, question: NewQuestion) -> Node | None:
    """Keep the replied-to message for its pictures: others may ask about them too. Its words were not meant for the bot."""
    incoming, reply = submission.incoming, submission.incoming.reply_to
    if reply is None:
        return None
    author = reply.author or Author(incoming.place.platform, "", "")
    graph.introduce(connection, incoming.place, author)
    shown, times = tuple(each.sha256 for each in question.pictures), tuple(each.seconds for each in question.pictures)
    key = secrets.token_hex(8)
    message = NewMessage(
        incoming.place.key, reply.message_id, None, key, author.key, "user", "", submission.at, shown, times, question.spoiler
    )
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
        seconds=tuple(picture.seconds for picture in pictures),
        spoiler=spoiler or bool(parent and parent.spoiler and not pictures),
        unseen=incoming.unseen,
    )


def _node(stored: int, message: NewMessage) -> Node:
    return Node(stored, message.conversation, message.person, message.spoiler)


def _crops_of(question: int) -> tuple[ColumnElement[bool], ...]:
    return MessagePictureRow.message == question, MessagePictureRow.region.is_not(None)
