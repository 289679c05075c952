"""Whether a message names the bot, in its text or in its caption, and what it says besides."""

from __future__ import annotations

import re

from telegram import Message, MessageEntity, User


def mentioned(message: Message, me: User) -> bool:
    return any(_is_me(entity, words, me) for entity, words in _entities(message).items())


def strip_mention(message: Message, me: User) -> str:
    """The text or caption without the bot's name."""
    text = message.text or message.caption or ""
    for entity, words in _entities(message).items():
        if _is_me(entity, words, me):
            text = text.replace(words, " ", 1)
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def _entities(message: Message) -> dict[MessageEntity, str]:
    """Entities with their words; their offsets count UTF-16 units, which the library knows."""
    kinds: list[str | None] = [MessageEntity.MENTION, MessageEntity.TEXT_MENTION]
    return message.parse_entities(kinds) if message.text else message.parse_caption_entities(kinds) if message.caption else {}


def _is_me(entity: MessageEntity, words: str, me: User) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == me.id
    return bool(me.username) and words.lower() == f"@{me.username}".lower()
