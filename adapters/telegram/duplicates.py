"""Finds and deletes what an unheard send left: Telegram has no way to send once, and shows a repeated message twice.

Telegram numbers messages in the order of their coming, and edits no messages but the bot's own. So the first copy is the
text between the last message that was known before it and its repetition that can be edited and that nobody recorded.
Files are left alone: of several that are sent together only the first is recorded.
"""

from __future__ import annotations

import structlog
from telegram import Bot
from telegram.error import BadRequest, TelegramError

from adapters.telegram.errors import is_unchanged
from adapters.telegram.places import message_of
from bot.delivery.message_diff import ELLIPSIS
from bot.platform import KnownMessages

MOST = 50  # numbers that are looked at; a group in which more was said meanwhile keeps the copy

log = structlog.get_logger(__name__)


async def remove_duplicate(client: Bot, chat: int, repetition: int, known: KnownMessages) -> None:
    """Never raises a TelegramError: what can't be found stays."""
    last = max(map(message_of, known.earlier), default=repetition)
    ours = set(map(message_of, known.ours))
    try:
        for number in range(last + 1, min(repetition, last + 1 + MOST)):
            if number not in ours and await _is_our_text(client, chat, number):
                await client.delete_message(chat, number)
                log.info("a message that was sent twice is taken back", chat=chat)
    except TelegramError as error:
        log.warning("a message may stand there twice", chat=chat, reason=error.message)


async def _is_our_text(client: Bot, chat: int, number: int) -> bool:
    """Whether it is a text of the bot's own, found out by editing it: only those can be edited, and it is deleted next anyway."""
    try:
        await client.edit_message_text(ELLIPSIS, chat, number)
    except BadRequest as error:
        return is_unchanged(error)
    return True
