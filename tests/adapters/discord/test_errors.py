"""What each of Discord's errors means to the bot: gone for good, gone with its message, or try again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import aiohttp
import discord
import pytest
import structlog

from adapters.discord.errors import InteractionGone, delivering, each_by_itself
from bot.errors import DeliveryError, FileRefused, MessageFrozen, MessageGone, PlaceGone, TextBlocked


def refused(status: int, code: int) -> discord.HTTPException:
    kind = discord.Forbidden if status == 403 else discord.HTTPException
    return kind(cast("aiohttp.ClientResponse", SimpleNamespace(status=status, reason="")), {"code": code, "message": "no"})


@pytest.mark.parametrize(
    ("raised", "meant"),
    [
        (refused(400, 40005), FileRefused),
        (refused(404, 10008), MessageGone),
        (refused(400, 160002), MessageGone),
        (refused(400, 50083), MessageFrozen),
        (refused(404, 10062), InteractionGone),
        (refused(400, 200000), TextBlocked),
        (refused(404, 10003), PlaceGone),
        (refused(403, 0), PlaceGone),
        (FileNotFoundError(2, "", "gone.html"), FileRefused),
    ],
)
def test_an_error_that_stays_says_what_is_gone(raised: Exception, meant: type[DeliveryError]) -> None:
    with pytest.raises(DeliveryError) as error, delivering():
        raise raised
    assert type(error.value) is meant


@pytest.mark.parametrize(
    ("raised", "unheard", "rejected", "after"),
    [
        (refused(502, 0), True, False, None),
        (refused(400, 50035), False, True, None),
        (TimeoutError(), True, False, None),
        (aiohttp.ServerDisconnectedError(), True, False, None),
        (RuntimeError("Session is closed"), False, False, None),
        (discord.RateLimited(30.0), False, False, 30.0),
    ],
)
def test_an_error_that_passes_says_whether_the_send_may_have_been_heard(
    raised: Exception, unheard: bool, rejected: bool, after: float | None
) -> None:
    with pytest.raises(DeliveryError) as error, delivering():
        raise raised
    assert (error.value.unheard, error.value.rejected, error.value.retry_after) == (unheard, rejected, after)
    assert type(error.value) is DeliveryError


def test_an_event_that_can_t_be_read_ends_no_connection_and_its_words_are_not_logged() -> None:
    """Such as a poll without an end, which discord.py 2.7 can't read."""
    heard = list[str]()

    def parse(data: str) -> None:
        if data == "a secret":
            raise TypeError(data)
        heard.append(data)

    parsers = each_by_itself({"MESSAGE_CREATE": parse, "READY": parse})
    with structlog.testing.capture_logs() as lines:
        parsers["MESSAGE_CREATE"]("a secret")
        parsers["MESSAGE_CREATE"]("the next")
    assert heard == ["the next"]
    assert [line["kind"] for line in lines] == ["MESSAGE_CREATE"]
    assert "secret" not in str(lines)
    with pytest.raises(TypeError):
        parsers["READY"]("a secret")
