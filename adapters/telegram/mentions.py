"""Whom a message names, in its text or in its caption: the bot, or somebody who has no user name; and what it says besides."""

from __future__ import annotations

import re
from collections.abc import Mapping

from telegram import Message, MessageEntity, User


def mentioned(message: Message, me: User) -> bool:
    return any(_is_me(entity, words, me) for entity, words in _entities(message).items())


def strip_mention(message: Message, me: User, people: Mapping[int, str] | None = None) -> str:
    """The text or caption without the bot's name. `people`: what stands for each person's name instead, by their id."""
    units = (message.text or message.caption or "").encode("utf-16-le")
    for entity, words in sorted(_entities(message).items(), key=lambda found: -found[0].offset):
        person = entity.user.id if entity.user else 0
        instead = " " if _is_me(entity, words, me) else (people or {}).get(person, words)
        units = units[: 2 * entity.offset] + instead.encode("utf-16-le") + units[2 * (entity.offset + entity.length) :]
    return re.sub(r"[ \t]{2,}", " ", units.decode("utf-16-le")).strip()


def named(message: Message, me: User) -> dict[int, str]:
    """The people whom it mentions by id, with their names as written."""
    people = {entity.user.id: words for entity, words in _entities(message).items() if entity.user is not None}
    return {person: words for person, words in people.items() if person != me.id}


def _entities(message: Message) -> dict[MessageEntity, str]:
    """Each entity with its words. Offsets count UTF-16 units; the library converts them."""
    kinds: list[str | None] = [MessageEntity.MENTION, MessageEntity.TEXT_MENTION]
    return message.parse_entities(kinds) if message.text else message.parse_caption_entities(kinds) if message.caption else {}


def _is_me(entity: MessageEntity, words: str, me: User) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == me.id
    return bool(me.username) and words.lower() == f"@{me.username}".lower()
