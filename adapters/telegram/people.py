"""Who said something, and whether they manage the chat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from telegram import Bot, Chat, Message, User
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import TelegramError

from adapters.telegram.places import NAME
from bot.message import Author

KEPT_SECONDS = 60.0  # a right that was given or taken counts after so long
KEPT = 10_000
MANAGING = frozenset({ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR})


def author_of(message: Message) -> Author:
    """Somebody who writes as a chat (a channel, or an anonymous manager of the group) is that chat."""
    if chat := message.sender_chat:
        return Author(NAME, str(chat.id), chat.effective_name or "", manages=chat.id == message.chat.id)
    return author_of_user(message.from_user) if message.from_user else Author(NAME, str(message.chat.id), "")


def author_of_user(user: User) -> Author:
    return Author(NAME, str(user.id), user.full_name, is_bot=user.is_bot)


class Managers:
    """Looks up rights, and remembers them for a minute."""

    def __init__(self, client: Bot, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[tuple[int, str], tuple[float, bool]] = {}

    async def look_up(self, chat: Chat, author: Author) -> Author:
        if chat.type == ChatType.PRIVATE:
            return replace(author, manages=True)
        if author.manages or author.id.startswith("-"):
            return author
        return replace(author, manages=await self._manages(chat.id, author.id))

    async def _manages(self, chat: int, person: str) -> bool:
        until, manages = self._known.get((chat, person), (0.0, False))
        if until > self._clock():
            return manages
        try:
            member = await self._client.get_chat_member(chat, int(person))
        except TelegramError:
            return False  # whoever can't be looked up has no rights
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[chat, person] = self._clock() + KEPT_SECONDS, member.status in MANAGING
        return member.status in MANAGING
