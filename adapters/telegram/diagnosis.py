"""`/diagnose`: what the bot can't see or do in this chat, and how to change it. For those who manage the chat."""

from __future__ import annotations

from contextlib import suppress

from telegram import Bot, ChatMember, ChatMemberAdministrator, ChatMemberRestricted, User
from telegram.constants import ChatMemberStatus
from telegram.error import TelegramError

from adapters.telegram.places import chat_of
from bot.errors import DeliveryError
from bot.message import Incoming
from bot.ports import Outgoing, Platform
from bot.texts import Texts, choose_language


class Diagnosis:
    """Looks at the account and at its place in the chat."""

    def __init__(self, client: Bot, platform: Platform, texts: Texts) -> None:
        self._client = client
        self._platform = platform
        self._texts = texts

    async def tell(self, incoming: Incoming) -> None:
        keys = await self._findings(incoming) if incoming.author.manages else ["settings.not_yours_to_open"]
        language = choose_language(incoming.locale)
        text = "\n\n".join(self._texts.say(language, key) for key in keys)
        with suppress(DeliveryError):
            await self._platform.send(incoming.place, Outgoing(text), reply_to=incoming.id, nonce="")

    async def _findings(self, incoming: Incoming) -> list[str]:
        if incoming.place.private:
            return ["telegram.sees_private"]
        try:
            me = await self._client.get_me()
            member = await self._client.get_chat_member(chat_of(incoming.place), me.id)
        except TelegramError:
            return ["telegram.knows_nothing"]
        return [_sight(me, member), *(["telegram.muted"] if _is_muted(member) else [])]


def _sight(me: User, member: ChatMember) -> str:
    """A bot that manages the chat sees everything, whatever its privacy mode is."""
    sees_all = bool(me.can_read_all_group_messages) or isinstance(member, ChatMemberAdministrator)
    return "telegram.sees_all" if sees_all else "telegram.sees_little"


def _is_muted(member: ChatMember) -> bool:
    restricted = isinstance(member, ChatMemberRestricted) and not member.can_send_messages
    return restricted or member.status in {ChatMemberStatus.LEFT, ChatMemberStatus.BANNED}
