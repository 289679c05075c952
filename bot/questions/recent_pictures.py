"""Remembers which messages of a channel show pictures: somebody who attaches none may mean one of them.

Kept in memory for half an hour, as references: no file is fetched before somebody asks about it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from bot.message import Attachment, Author, Incoming, Reply

KEPT_SECONDS: Final = 1_800.0
KEPT: Final = 30  # of one place
PLACES: Final = 2_000
RECENT_SECONDS: Final = 60.0  # in which a picture of the asker's is what "this" means


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
    """The messages with pictures of each place, oldest first."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, deque[RecentPicture]] = OrderedDict()

    def note(self, incoming: Incoming, *, asked: bool) -> None:
        """Remember a message, if it shows pictures."""
        shown = tuple(each for each in incoming.attachments if may_be_picture(each))
        if not shown or incoming.edited or incoming.command:
            return
        here = self._seen.setdefault(incoming.place.key, deque(maxlen=KEPT))
        self._seen.move_to_end(incoming.place.key)
        here.append(RecentPicture(incoming.id, incoming.author, incoming.sent_at.timestamp(), shown, asked))
        while len(self._seen) > PLACES:
            self._seen.popitem(last=False)

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

    def drop(self, place: str, message_id: str) -> None:
        """Forget a message: it was deleted."""
        if here := self._seen.get(place):
            self._seen[place] = deque((each for each in here if each.message_id != message_id), KEPT)

    def forget(self, person: str) -> None:
        """Forget the pictures of one person (by key), everywhere."""
        for place, here in self._seen.items():
            self._seen[place] = deque((each for each in here if each.author.key != person), KEPT)

    def _here(self, incoming: Incoming) -> list[RecentPicture]:
        now = incoming.sent_at.timestamp()
        return [each for each in self._seen.get(incoming.place.key, ()) if now - KEPT_SECONDS <= each.at <= now + 1]

    def _unasked(self, incoming: Incoming) -> list[RecentPicture]:
        return [each for each in self._here(incoming) if not each.asked and each.message_id != incoming.id]


def may_be_picture(attachment: Attachment) -> bool:
    return attachment.content_type is None or attachment.content_type.startswith("image/")
