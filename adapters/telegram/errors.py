"""What Telegram's errors mean to the bot."""

from __future__ import annotations

from datetime import timedelta

from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.errors import DeliveryError, FileRefused, MessageFrozen, MessageGone, PlaceGone

UNCHANGED = "message is not modified"
MESSAGE_GONE = (
    "message to edit not found",
    "message to be replied not found",
    "message to reply not found",
    "message to delete not found",
    "replied message not found",
    "message_id_invalid",
)
FROZEN = ("message can't be edited", "message can't be deleted")
PLACE_GONE = (
    "chat not found",
    "not enough rights to send",
    "have no rights to send",
    "chat_write_forbidden",
    "chat_restricted",
    "topic_closed",
    "message thread not found",
    "peer_id",
)
FILES_REFUSED = (*(f"rights to send {kind}" for kind in ("photos", "documents")), "send_photos_forbidden", "send_docs_forbidden")
BAD_FORMAT = ("can't parse entities", "entity", "entities")


def delivery_error(error: TelegramError) -> DeliveryError:
    """The bot's error for one of Telegram's. Its words hold Telegram's own, which hold neither token nor text."""
    words = error.message.lower()
    if isinstance(error, RetryAfter):
        return DeliveryError(error.message, retry_after=seconds_of(error.retry_after))
    if isinstance(error, ChatMigrated):
        return DeliveryError(error.message, retry_after=0.0)
    if _says(words, FILES_REFUSED):
        return FileRefused(error.message)
    if isinstance(error, Forbidden) or _says(words, PLACE_GONE):
        return PlaceGone(error.message)
    if isinstance(error, BadRequest) and _says(words, MESSAGE_GONE):
        return MessageGone(error.message)
    if isinstance(error, BadRequest) and _says(words, FROZEN):
        return MessageFrozen(error.message)
    if isinstance(error, BadRequest):
        return DeliveryError(error.message, rejected=True)
    if isinstance(error, NetworkError):
        return DeliveryError(f"Telegram can't be reached: {error.message}", unheard=True)
    return DeliveryError(error.message)


def seconds_of(retry_after: float | timedelta) -> float:
    return retry_after.total_seconds() if isinstance(retry_after, timedelta) else float(retry_after)


def is_unchanged(error: TelegramError) -> bool:
    return UNCHANGED in error.message.lower()


def is_bad_format(error: TelegramError) -> bool:
    return isinstance(error, BadRequest) and _says(error.message.lower(), BAD_FORMAT)


def _says(words: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in words for phrase in phrases)
