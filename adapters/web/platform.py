"""The web page as the core sees it: messages go to the hub of the person whose private place it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from adapters.web.hub import Hubs
from bot.errors import MessageGone
from bot.message import Author, Place
from bot.ports import EditBudget, Limits, Outgoing

NAME = "web"


def place_of(person: str) -> Place:
    return Place(NAME, channel=person, private=True)


def author_of(person: str) -> Author:
    """A person manages the place that is theirs alone."""
    return Author(NAME, person, name="", manages=True)


def shown(message: Outgoing, files: Sequence[str] = ()) -> dict[str, Any]:
    """A message as the page's JavaScript takes it. What belongs to no answer is an aside: it is not kept. `files`: addresses."""
    return {
        "role": "bot",
        "text": message.text,
        "footer": message.footer,
        "buttons": [button.value for button in message.buttons],
        "answer": message.answer_id,
        "spoiler": message.spoiler,
        "final": message.final,
        "aside": message.answer_id is None,
        "actions": [asdict(action) for action in message.actions],
        "columns": [asdict(column) for column in message.columns],
        "files": [{"name": file.name, "url": url} for file, url in zip(message.files, files, strict=True)],
    }


class WebPlatform:
    """ports.Platform. An id follows from its nonce, so that a repeated send shows one message, even after a restart."""

    name = NAME
    limits = Limits(text=200_000, budget=EditBudget(edits=12, seconds=1.0), deduplicates=True, explains=True)

    def __init__(self, hubs: Hubs) -> None:
        self._hubs = hubs

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        message_id = hashlib.sha256(nonce.encode()).hexdigest()[:24]
        hub = self._hubs.of(place.channel)
        if hub.latest(message_id) is None:
            hub.publish("message", message_id, {"id": message_id, "parent": reply_to, **self._shown(place, message)})
        return message_id

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        hub = self._hubs.of(place.channel)
        known = hub.latest(message_id)
        if known is not None and known.kind == "deleted":
            raise MessageGone(f"message {message_id} was deleted")
        # After a restart the hub does not know the parent; the page has it from its history.
        parent = {} if known is None else {"parent": known.data["parent"]} if "parent" in known.data else {}
        hub.publish("message", message_id, {"id": message_id, **parent, **self._shown(place, message)})

    async def delete(self, place: Place, message_id: str) -> None:
        self._hubs.of(place.channel).publish("deleted", message_id, {"id": message_id})

    async def typing(self, place: Place) -> None:
        """The page shows an unfinished answer by itself."""

    def _shown(self, place: Place, message: Outgoing) -> dict[str, Any]:
        return shown(message, [self._hubs.handouts.give(place.channel, file) for file in message.files])
