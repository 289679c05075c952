"""The web page as the bot sees it: messages go to the hub of the person whose private place it is."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adapters.web.hub import Hubs
from bot.api import Remembered
from bot.errors import MessageGone
from bot.message import Author, Place
from bot.platform import EditBudget, Limits, Outgoing

NAME = "web"
STORED = "stored-"  # begins the page's names of answers, and of questions that have no name of the page's own
KEPT_NAMES = 10_000


def place_of(person: str) -> Place:
    return Place(NAME, channel=person, private=True)


def author_of(person: str) -> Author:
    """A person manages the place that is theirs alone."""
    return Author(NAME, person, name="", manages=True)


def stored(number: int) -> str:
    """The page's name of a message, from its number in the store: an answer has it before it is sent, and keeps it."""
    return f"{STORED}{number}"


def number_of(name: str) -> int | None:
    """The number that is in a name; None: it is a name of the page's own."""
    found = re.fullmatch(rf"{STORED}(\d+)", name)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class PageLimits(Limits):
    """An answer is one message on the page, however long."""

    def length(self, text: str) -> int:
        return 0


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
        "across": message.across,
        "columns": [asdict(column) for column in message.columns],
        "steps": message.steps,
        "seen": seen_in_steps(message),
        "files": [{"name": file.name, "url": url} for file, url in zip(message.files, files, strict=True)],
    }


def seen_in_steps(message: Outgoing | Remembered) -> dict[str, str] | None:
    """The picture of what an answer's steps looked at, with its description."""
    return {"url": f"/api/pictures/{message.steps_sheet}", "alt": message.steps_seen} if message.steps_sheet else None


class WebPlatform:
    """bot.platform.Platform. An id follows from its nonce, so that a repeated send shows one message, even after a restart."""

    name = NAME
    limits: Limits = PageLimits(
        text=200_000, budget=EditBudget(edits=12, seconds=1.0), deduplicates=True, shows_explanations=True, tables=True
    )

    def __init__(self, hubs: Hubs) -> None:
        self._hubs = hubs
        self._names: OrderedDict[str, str] = OrderedDict()  # of the newest messages, by id: what the page calls them

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        message_id = hashlib.sha256(nonce.encode()).hexdigest()[:24]
        if message_id not in self._names:
            name = self._named(message_id, message)
            # What answers no message, such as a pressed button's, has its parent from the history.
            parent = {"parent": reply_to} if reply_to or message.answer_id is None else {}
            self._hubs.of(place.channel).publish("message", name, {"id": name, **parent, **self._shown(place, message)})
        return message_id

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        hub, name = self._hubs.of(place.channel), self._named(message_id, message)
        known = hub.latest(name)
        if known is not None and known.kind == "deleted":
            raise MessageGone(f"message {message_id} was deleted")
        # After a restart the hub does not know the parent; the page has it from its history.
        parent = {"parent": known.data["parent"]} if known is not None and "parent" in known.data else {}
        hub.publish("message", name, {"id": name, **parent, **self._shown(place, message)})

    async def delete(self, place: Place, message_id: str) -> None:
        name = self._names.get(message_id)
        if name is None:  # from before a restart: the page looks at what there still is
            self._hubs.of(place.channel).publish("reload", "reload", {})
        else:
            self._hubs.of(place.channel).publish("deleted", name, {"id": name})

    async def typing(self, place: Place) -> None:
        """The page shows an unfinished answer by itself."""

    def _named(self, message_id: str, message: Outgoing) -> str:
        name = self._names[message_id] = message_id if message.answer_id is None else stored(message.answer_id)
        if len(self._names) > KEPT_NAMES:
            self._names.popitem(last=False)
        return name

    def _shown(self, place: Place, message: Outgoing) -> dict[str, Any]:
        return shown(message, [self._hubs.private_files.give(place.channel, file) for file in message.files])
