"""What the bot can't see or do in a chat, and how to change it: Telegram's part of `/diagnose`."""

from __future__ import annotations

from telegram import Bot, ChatMember, ChatMemberAdministrator, ChatMemberRestricted, User
from telegram.constants import ChatMemberStatus
from telegram.error import TelegramError

from adapters.telegram.places import chat_of
from bot.message import Incoming


async def findings(client: Bot, incoming: Incoming) -> tuple[str, ...]:
    """Keys of texts, from what Telegram says of the account and of its place in the chat."""
    if incoming.place.private:
        return ("telegram.sees_private",)
    try:
        me = await client.get_me()
        member = await client.get_chat_member(chat_of(incoming.place), me.id)
    except TelegramError:
        return ("telegram.knows_nothing",)
    return (_sight(me, member), *(("telegram.muted",) if _is_muted(member) else ()))


def _sight(me: User, member: ChatMember) -> str:
    """A bot that manages the chat sees everything, whatever its privacy mode is."""
    sees_all = bool(me.can_read_all_group_messages) or isinstance(member, ChatMemberAdministrator)
    return "telegram.sees_all" if sees_all else "telegram.sees_little"


def _is_muted(member: ChatMember) -> bool:
    restricted = isinstance(member, ChatMemberRestricted) and not member.can_send_messages
    return restricted or member.status in {ChatMemberStatus.LEFT, ChatMemberStatus.BANNED}
