"""A question whose author changed it: while it waits its new words are asked, and an answer just begun begins again with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from time import time
from typing import Final

from sqlalchemy import Connection

from bot import conversation
from bot.answers.generate import expected_cost
from bot.dispatch.dispatcher import Dispatcher
from bot.errors import Refusal
from bot.message import Incoming, Picture, Value
from bot.questions.ask import AskDependencies, answer_to
from bot.settings.resolve import ResolvedSettings
from bot.store import deliveries, graph, jobs
from bot.store.jobs import BegunAnswer

EDITABLE_SECONDS: Final = 15.0  # after an answer was begun: who corrects a slip does it at once


class EditService:
    """Takes what people change in messages of theirs that are stored."""

    def __init__(self, parts: AskDependencies, dispatcher: Dispatcher) -> None:
        self._parts = parts
        self._dispatcher = dispatcher

    async def edit(self, incoming: Incoming, text: str, request: Mapping[str, Value]) -> None:
        """Ask `text` instead. Changes nothing for a message that is not stored, or was answered a while ago or gone on from."""
        if incoming.reply_to and text:
            replied = await self._parts.database.read(conversation.replied_to, incoming)
            text = conversation.with_quote(text, incoming.reply_to, stored=replied is not None)
        resolved = await self._parts.settings.resolve(incoming.place, incoming.author, request, incoming.locale)
        picture = await self._new_picture(incoming)
        replaced = await self._parts.database.write(partial(_edit, self._parts.name, incoming, text, picture, resolved, time()))
        self._dispatcher.drop(replaced, incoming.place)

    async def _new_picture(self, incoming: Incoming) -> Picture | None:
        """What the message shows instead of the picture that it was asked with, while it is not answered; None: the same.

        Raises Refusal for what can't be shown instead.
        """
        known = await self._parts.database.read(_pictures_of_open, incoming)
        if not (known and len(incoming.attachments) == 1):
            return None
        picture = await self._parts.intake.take(incoming.attachments[0], incoming.author.key)
        if picture.sha256 in known:
            return None
        if len(known) > 1:
            raise Refusal("picture.of_album")
        await self._parts.files.save(picture.sha256, picture.data)
        return picture


def _pictures_of_open(connection: Connection, incoming: Incoming) -> tuple[str, ...]:
    """The pictures of a question that is not answered yet; empty for anything else."""
    question = graph.find(connection, incoming.place.key, incoming.id)
    return graph.pictures_in(connection, question.id) if question and jobs.is_open(connection, question.id) else ()


def _edit(
    owner: str, incoming: Incoming, text: str, picture: Picture | None, resolved: ResolvedSettings, now: float, connection: Connection
) -> tuple[BegunAnswer, ...]:
    """The answers that are made anew, in the messages that they had begun."""
    question = graph.find(connection, incoming.place.key, incoming.id)
    if question is None or question.person != incoming.author.key:
        return ()
    begun = jobs.begun(connection, question.id, now - EDITABLE_SECONDS)
    if picture is not None:  # no word about the other one is right, however many there are
        growing = jobs.begun(connection, question.id, 0.0)
        still = jobs.unfinished(connection, [each.answer for each in growing])
        begun = tuple(each for each in growing if each.answer in still or each in begun)
    if not (begun or jobs.waits(connection, question.id)):
        return ()
    if picture is not None:
        graph.add_pictures(connection, [picture], now)
        graph.show_instead(connection, question.id, picture.sha256)
    if not graph.reword(connection, question.id, text) and picture is None:
        return ()
    for old in begun:
        new = answer_to(owner, incoming, question, resolved, expected_cost(text, 1, resolved.settings), now, connection)
        if new is not None:
            deliveries.hand_over(connection, old.answer, new)
        graph.drop(connection, old.answer)
    return begun
