"""Finds the message whose pictures a command means: in the conversation that it belongs to."""

from __future__ import annotations

from bot import conversation
from bot.answer_settings import Memory
from bot.message import Incoming
from bot.questions.ask import AskDependencies
from bot.store import graph
from bot.store.graph import SHARED, Node, Turn


async def newest_pictures(parts: AskDependencies, incoming: Incoming, replied: Node | None) -> Turn | None:
    """The newest message with pictures of the conversation that the event goes on with; `replied`: the stored one that it replies to."""
    leaf = replied
    if leaf is None:
        resolved = await parts.settings.resolve(incoming.place, incoming.author, {}, incoming.locale)
        person = incoming.author.key if resolved.settings.memory is Memory.PERSONAL else SHARED
        leaf = await parts.database.read(graph.newest, incoming.place.key, person, 0.0)
    return conversation.sight(await parts.database.read(graph.branch, leaf.id)) if leaf else None
