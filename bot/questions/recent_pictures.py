"""Remembers which messages of a channel show pictures: somebody who attaches none may mean one of them.

Kept for half an hour, as references: no file is fetched before somebody asks about it. The database holds them too, for a restart.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import time
from typing import Any, Final, NoReturn

from sqlalchemy import Connection

from bot.message import Attachment, Author, Incoming, Reply
from bot.store import recent_pictures as store
from bot.store.database import Database
from bot.store.recent_pictures import KeptPicture

KEPT_SECONDS: Final = 1_800.0
KEPT: Final = 30  # of one place
PLACES: Final = 2_000
RECENT_SECONDS: Final = 60.0  # in which a picture of the asker's is what "this" means
SWEEP_SECONDS: Final = 300.0  # between two deletions of what is too old

Reopen = Callable[[str, str], AsyncIterator[bytes]]  # a platform's name, and its reference to a file
Change = Callable[[Connection], None]


@dataclass(slots=True)
class RecentPicture:
    """One message with pictures. `asked`: somebody asked the bot about it."""

    message_id: str
    author: Author
    at: float  # Unix seconds; when it was sent
    attachments: tuple[Attachment, ...]
    asked: bool = False

    def reply(self) -> Reply:
        """A reply to this message, as if the person had used the platform's own."""
        return Reply(self.message_id, self.author, self.attachments, found=True)


class RecentPictures:
    """The messages with pictures of each place, oldest first. `owner`: the bot that sees them; `reopen`: fetches a file."""

    def __init__(self, database: Database, owner: str, reopen: Reopen) -> None:
        self._database = database
        self._owner = owner
        self._reopen = reopen
        self._seen: OrderedDict[str, deque[RecentPicture]] = OrderedDict()
        self._unwritten: list[Change] = []
        self._news = asyncio.Event()

    async def load(self) -> None:
        """Remember what stood there before a restart."""
        for kept in await self._database.read(store.since, self._owner, time() - KEPT_SECONDS):
            files = tuple(_attachment(file, partial(self._reopen, kept.author.platform)) for file in kept.files)
            self._add(kept.place, RecentPicture(kept.message_id, kept.author, kept.at, files, kept.asked))

    async def run(self) -> NoReturn:
        """Write down what changes, beside the questions, and delete what is too old. Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._news.wait()
            self._news.clear()
            changes, self._unwritten = self._unwritten, []
            changes.append(partial(store.expire, before=time() - KEPT_SECONDS))
            await self._database.write(_carry_out, changes)

    def note(self, incoming: Incoming, *, asked: bool) -> None:
        """Remember a message, if it shows pictures."""
        shown = tuple(each for each in incoming.attachments if may_be_picture(each))
        if not shown or incoming.edited or incoming.command:
            return
        picture = RecentPicture(incoming.id, incoming.author, incoming.sent_at.timestamp(), shown, asked)
        if self._add(incoming.place.key, picture) and all(each.reference for each in shown):
            files = tuple(_file(each) for each in shown)
            kept = KeptPicture(incoming.place.key, incoming.id, incoming.author, picture.at, files, asked)
            self._write(partial(store.keep, owner=self._owner, kept=kept))

    def recent(self, incoming: Incoming, people: Collection[str]) -> list[RecentPicture]:
        """The pictures that these people (by key) showed here within the last minute, and that nobody asked about."""
        now = incoming.sent_at.timestamp()
        return [each for each in self._unasked(incoming) if each.author.key in people and now - each.at <= RECENT_SECONDS]

    def newer(self, incoming: Incoming) -> bool:
        """Whether the newest picture here is one that nobody asked about."""
        unasked = self._unasked(incoming)
        return bool(unasked) and all(each.at <= unasked[-1].at for each in self._here(incoming) if each.asked)

    def mark(self, place: str, message_id: str) -> None:
        """Remember that somebody asked about this message's pictures."""
        for each in self._seen.get(place, ()):
            each.asked = each.asked or each.message_id == message_id
        self._write(partial(store.mark, owner=self._owner, place=place, message_id=message_id))

    def drop(self, place: str, message_id: str) -> None:
        """Forget a message: it was deleted."""
        if here := self._seen.get(place):
            self._seen[place] = deque((each for each in here if each.message_id != message_id), KEPT)
            self._write(partial(store.drop, owner=self._owner, place=place, message_id=message_id))

    def forget(self, person: str) -> None:
        """Forget the pictures of one person (by key), everywhere."""
        for place, here in self._seen.items():
            self._seen[place] = deque((each for each in here if each.author.key != person), KEPT)
        self._write(partial(store.forget, person=person))

    def _add(self, place: str, picture: RecentPicture) -> bool:
        """False: it stands there already; a platform may tell of a message twice."""
        here = self._seen.setdefault(place, deque(maxlen=KEPT))
        self._seen.move_to_end(place)
        if any(each.message_id == picture.message_id for each in here):
            return False
        here.append(picture)
        while len(self._seen) > PLACES:
            self._seen.popitem(last=False)
        return True

    def _write(self, change: Change) -> None:
        self._unwritten.append(change)
        self._news.set()

    def _here(self, incoming: Incoming) -> list[RecentPicture]:
        now = incoming.sent_at.timestamp()
        return [each for each in self._seen.get(incoming.place.key, ()) if now - KEPT_SECONDS <= each.at <= now + 1]

    def _unasked(self, incoming: Incoming) -> list[RecentPicture]:
        return [each for each in self._here(incoming) if not each.asked and each.message_id != incoming.id]


def may_be_picture(attachment: Attachment) -> bool:
    return attachment.content_type is None or attachment.content_type.startswith("image/")


def _carry_out(connection: Connection, changes: Sequence[Change]) -> None:
    for change in changes:
        change(connection)


def _file(attachment: Attachment) -> dict[str, Any]:
    told = {"name": attachment.name, "size": attachment.size, "content_type": attachment.content_type}
    return {**told, "spoiler": attachment.spoiler, "reference": attachment.reference}


def _attachment(file: Mapping[str, Any], reopen: Callable[[str], AsyncIterator[bytes]]) -> Attachment:
    return Attachment(read=partial(reopen, file["reference"]), **file)
