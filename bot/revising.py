"""A question whose author changed it: while it waits its new words are asked, and an answer just begun begins again with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from time import time
from typing import Final

from sqlalchemy import Connection

from bot import conversation, jobs
from bot.answering import expected_cost
from bot.asking import Parts, answer_to
from bot.contracts import Resolved, Value
from bot.dispatcher import Dispatcher
from bot.jobs import Begun
from bot.message import Incoming
from bot.store import deliveries, graph

REVISABLE_SECONDS: Final = 15.0  # after an answer was begun: who corrects a slip does it at once


class Revising:
    """Takes what people change in messages of theirs that are stored."""

    def __init__(self, parts: Parts, dispatcher: Dispatcher) -> None:
        self._parts = parts
        self._dispatcher = dispatcher

    async def revise(self, incoming: Incoming, text: str, request: Mapping[str, Value]) -> None:
        """Ask `text` instead. Changes nothing for a message that is not stored, or was answered a while ago or gone on from."""
        if incoming.reply_to and text:
            replied = await self._parts.database.read(conversation.replied_to, incoming)
            text = conversation.with_quote(text, incoming.reply_to, stored=replied is not None)
        resolved = await self._parts.settings.resolve(incoming.place, incoming.author, request, incoming.locale)
        replaced = await self._parts.database.write(partial(_revise, self._parts.name, incoming, text, resolved, time()))
        self._dispatcher.drop(replaced, incoming.place)


def _revise(owner: str, incoming: Incoming, text: str, resolved: Resolved, now: float, connection: Connection) -> tuple[Begun, ...]:
    """The answers that are made anew, in the messages that they had begun."""
    question = graph.find(connection, incoming.place.key, incoming.id)
    if question is None or question.person != incoming.author.key:
        return ()
    begun = jobs.begun(connection, question.id, now - REVISABLE_SECONDS)
    if not (begun or jobs.waits(connection, question.id)) or not graph.reword(connection, question.id, text):
        return ()
    for old in begun:
        new = answer_to(owner, incoming, question, resolved, expected_cost(text, 1, resolved.knobs), now, connection)
        if new is not None:
            deliveries.hand_over(connection, old.answer, new)
        graph.drop(connection, old.answer)
    return begun
