"""What each of Telegram's errors means to the bot: whether to try again, when, without what, or never."""

from __future__ import annotations

from datetime import timedelta

import pytest
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError, TimedOut

from adapters.telegram.errors import delivery_error, is_bad_format, is_unchanged, seconds_of
from bot.errors import DeliveryError, FileRefused, MessageFrozen, MessageGone, PlaceGone


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("Message to be replied not found"), MessageGone),
        (BadRequest("Message to edit not found"), MessageGone),
        (BadRequest("MESSAGE_ID_INVALID"), MessageGone),
        (BadRequest("Message can't be edited"), MessageFrozen),
        (BadRequest("Not enough rights to send photos to the chat"), FileRefused),
        (BadRequest("CHAT_SEND_DOCS_FORBIDDEN"), FileRefused),
        (Forbidden("Forbidden: bot was blocked by the user"), PlaceGone),
        (Forbidden("Forbidden: bot was kicked from the supergroup chat"), PlaceGone),
        (BadRequest("Chat not found"), PlaceGone),
        (BadRequest("TOPIC_CLOSED"), PlaceGone),
        (BadRequest("Not enough rights to send text messages to the chat"), PlaceGone),
        (BadRequest("Message is too long"), DeliveryError),
        (TelegramError("Internal Server Error"), DeliveryError),
    ],
)
def test_each_error_is_the_cores(error: TelegramError, kind: type[DeliveryError]) -> None:
    told = delivery_error(error)
    assert (type(told), told.retry_after, told.unheard) == (kind, None, False)
    assert told.rejected is (error.message == "Message is too long")


@pytest.mark.parametrize("error", [TimedOut(), NetworkError("Bad Gateway"), NetworkError("httpx.ReadError: ")])
def test_after_a_broken_connection_nobody_knows_what_was_sent(error: NetworkError) -> None:
    assert delivery_error(error).unheard


@pytest.mark.parametrize("retry_after", [7, timedelta(seconds=7)])
def test_a_pause_is_understood_in_both_of_its_forms(retry_after: int | timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # as the client sets it: whole seconds come with a warning
    assert seconds_of(retry_after) == 7.0
    assert delivery_error(RetryAfter(timedelta(seconds=7))).retry_after == 7.0


def test_a_group_that_moved_is_tried_again_at_once() -> None:
    assert delivery_error(ChatMigrated(-100_77)).retry_after == 0.0


def test_what_is_no_failure_is_known_as_none() -> None:
    assert is_unchanged(BadRequest("Message is not modified: specified new message content is the same"))
    assert is_bad_format(BadRequest("Can't parse entities: unexpected end"))
    assert not is_bad_format(BadRequest("Message is not modified"))
