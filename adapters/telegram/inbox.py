"""Hands updates to the bot as they come: albums gathered, each event with its place in the order of its chat."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace

import structlog
from telegram import CallbackQuery, ChatMemberUpdated, Message, Update
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import TelegramError

from adapters.telegram.people import author_of, author_of_user
from adapters.telegram.places import NAME, place_of
from adapters.telegram.read_update import STOPPED_DRAFT, UpdateReader
from adapters.telegram.recent_items import RecentItems
from adapters.telegram.settings_panel import owner_and_command
from bot.api import MovingBot
from bot.arrival import Arrival
from bot.message import Incoming, Place
from bot.texts import choose_language

ALBUM_SECONDS = 0.7  # without a further part, after which an album is whole

GONE = frozenset({ChatMemberStatus.LEFT, ChatMemberStatus.BANNED})
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", STOPPED_DRAFT)


log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Album:
    """The parts of an album that have come so far. `over` is set when the bot has stored it, or failed to."""

    parts: list[Message]
    grew: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    stored: bool = False


class Inbox:
    """Hands updates to the bot. `take` returns when an update is stored, so that it may be confirmed to Telegram."""

    def __init__(self, bot: MovingBot, reader: UpdateReader, album_seconds: float = ALBUM_SECONDS) -> None:
        self._bot = bot
        self._reader = reader
        self._album_seconds = album_seconds
        self._albums: dict[tuple[int, str], Album] = {}
        self._handed_over: RecentItems[tuple[int, str], int] = RecentItems()  # by album: the number of its first part
        self._moves: dict[int, asyncio.Event] = {}  # that are under way, by the new id
        self._stored: RecentItems[int, None] = RecentItems()  # numbers of updates: Telegram offers some twice

    async def take(self, update: Update) -> None:
        """Handle one update. Raises what the bot raises; the update is to be offered again then."""
        if update.update_id in self._stored:
            return
        if (chat := update.effective_chat) and (moved := self._moves.get(chat.id)):
            await moved.wait()
        if (message := update.message) and (album := _album(message)):
            await self._join(message, album)
        else:
            await self._take(update)
        self._stored[update.update_id] = None

    async def _take(self, update: Update) -> None:
        if query := update.callback_query:
            await self._take_press(query)
        elif (message := update.message) and message.migrate_to_chat_id:
            await self._move(message, message.migrate_to_chat_id)
        elif member := update.my_chat_member:
            await self._take_membership(member)
        elif (message := update.message) and (message.text or message.effective_attachment):
            await self._take_message([message])
        elif edited := update.edited_message:
            await self._take_edit(edited)
        elif stopped := self._reader.stopped(update):
            await self._hand_over(stopped)

    async def _take_message(self, parts: Sequence[Message]) -> None:
        with self._arriving(parts[0]) as arrival:
            incoming = await self._reader.message(parts)
            await self._hand_over(replace(incoming, arrival=arrival))

    async def _take_edit(self, message: Message) -> None:
        """Handle an edit. An album is stored under the id of its first part, so an edit of any part is one of that message."""
        first = self._handed_over.get(album) if (album := _album(message)) else None
        number = str(first or message.message_id)
        with self._arriving(message, number) as arrival:
            incoming = await self._reader.message([message], edited=True)
            await self._hand_over(replace(incoming, id=number, arrival=arrival))

    def _arriving(self, message: Message, number: str = "") -> AbstractContextManager[Arrival]:
        """Keep the message's place in its chat's order while it is being read."""
        return self._bot.arriving(place_of(message), number or str(message.message_id), author_of(message))

    async def _move(self, message: Message, chat: int) -> None:
        """A group became a supergroup, with another id: what is said there waits until all of the old one is there."""
        old = place_of(message)
        new, moved = replace(old, channel=str(chat)), asyncio.Event()
        self._moves[chat] = moved
        try:
            await self._bot.moved(old, new)
        finally:
            moved.set()
            if self._moves.get(chat) is moved:  # Telegram may tell of the same move twice, side by side
                del self._moves[chat]
        log.warning("a group has a new id, and is still let in: name it in [access] instead of the old one", old=old.key, new=new.key)

    async def _take_membership(self, member: ChatMemberUpdated) -> None:
        was_there = member.old_chat_member.status not in GONE
        if member.new_chat_member.status in GONE:
            await self._leave(member)
        elif not was_there and member.chat.type in {ChatType.GROUP, ChatType.SUPERGROUP}:
            await self._bot.joined(Place(NAME, str(member.chat.id)), author_of_user(member.from_user), member.from_user.language_code)

    async def _leave(self, member: ChatMemberUpdated) -> None:
        place = Place(NAME, str(member.chat.id), private=member.chat.type == ChatType.PRIVATE)
        await self._bot.closed(place)
        log.warning(
            "blocked by this person: no more answers" if place.private else "removed from this group: no more answers", chat=place.key
        )

    async def _take_press(self, query: CallbackQuery) -> None:
        incoming = await self._reader.press(query)
        owner, _ = owner_and_command(query.data or "")
        is_others = incoming is not None and owner not in {None, incoming.author.id} and not incoming.author.manages
        if incoming is not None and not is_others:
            await self._hand_over(incoming)  # what the bot has to say to it is said in the press
            return
        key = "telegram.not_your_panel" if is_others else "answer.unknown"
        with suppress(TelegramError):  # the button's spinner ends by itself, too
            await query.answer(self._reader.texts.render(choose_language(query.from_user.language_code), key))

    async def _hand_over(self, incoming: Incoming) -> None:
        await self._bot.handle(incoming)

    async def _join(self, message: Message, key: tuple[int, str]) -> None:
        """Whoever brings the first part waits for the others and hands over the album; they wait for that."""
        if album := self._albums.get(key):
            album.parts.append(message)
            album.grew.set()
            await album.over.wait()
            if not album.stored:
                await self._join(message, key)
            return
        if key in self._handed_over:
            log.warning("a part of an album came too late to be seen", chat=message.chat.id)
            return
        album = self._albums[key] = Album([message])
        try:
            with self._arriving(message) as arrival:
                await self._gather(album)
                del self._albums[key]
                parts = sorted(album.parts, key=lambda part: part.message_id)
                self._handed_over[key] = parts[0].message_id
                incoming = await self._reader.message(parts)
                await self._hand_over(replace(incoming, arrival=arrival))
            album.stored = True
        finally:
            if not album.stored:
                self._handed_over.pop(key, None)
            self._albums.pop(key, None)
            album.over.set()

    async def _gather(self, album: Album) -> None:
        """Wait until no part has come for a while."""
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(self._album_seconds):
                    await album.grew.wait()
                album.grew.clear()


def _album(message: Message) -> tuple[int, str] | None:
    return (message.chat.id, message.media_group_id) if message.media_group_id else None
