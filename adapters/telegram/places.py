"""Telegram's ids as the bot's keys and back: a chat is a channel, a forum topic a thread of it."""

from __future__ import annotations

from telegram import Message
from telegram.constants import ChatType

from bot.message import Place

NAME = "telegram"
PRESSED = "."  # between a message's id and the press of a button under it


def place_of(message: Message) -> Place:
    topic = message.message_thread_id if message.is_topic_message else None
    return Place(
        NAME,
        channel=str(message.chat.id),
        thread=str(topic) if topic is not None else None,
        private=message.chat.type == ChatType.PRIVATE,
    )


def chat_of(place: Place) -> int:
    return int(place.channel)


def thread_of(place: Place) -> int | None:
    return int(place.thread) if place.thread else None


def press_of(event_id: str) -> str | None:
    """The press of a button under a message, by Telegram's id; None for anything else."""
    message, _, press = event_id.partition(PRESSED)
    return press if press and int(message) else None


def message_of(event_id: str) -> int:
    """Of a message, or of the one whose button was pressed; 0 for what was pressed in no message."""
    return int(event_id.partition(PRESSED)[0])
