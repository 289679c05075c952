"""Polling: a second poller costs no update, and what was sent while the bot was away is answered."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from tests.adapters.strict.telegram.server import ApiError, BotApi
from tests.adapters.telegram.rig import connected, whole


async def test_a_second_poller_is_said_once_and_costs_no_update(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.telegram.polling.CONFLICT_SECONDS", 0.05)
    api = BotApi()
    api.refuse("getUpdates", *[ApiError("Conflict: terminated by other getUpdates request", 409)] * 3)
    async with connected(api) as telegram:
        await telegram.world.say(telegram.world.private(), "still heard")
        assert (await telegram.bot.hears()).incoming.text == "still heard"
    assert log.getvalue().count("another program polls with this bot's token") == 1


async def test_ten_questions_an_hour_apart_sent_while_the_bot_was_away_are_all_answered(tmp_path: Path) -> None:
    """And two that are older than half a day are not: that is said once."""
    api = BotApi()
    chat, now = api.world.private(), int(time.time())
    old = [await api.world.say(chat, f"old {number}", date=now - 20 * 3600 + number) for number in range(2)]
    for hour in range(10, 0, -1):
        await api.world.say(chat, f"{hour} hours ago", date=now - hour * 3600)
    async with whole(tmp_path, api=api, limits={}) as telegram:
        answers = await telegram.answers(chat, 11)
        await telegram.until(lambda: not api.world.updates and not telegram.engine.running)
    assert {f"You asked: {hour} hours ago" for hour in range(10, 0, -1)} <= set(answers)
    told = [each for each in telegram.said(chat) if "I was away" in each["text"]]
    assert len(told) == 1
    assert told[0]["reply_to_message"]["message_id"] in {each["message_id"] for each in old}
    assert len(telegram.engine.requests) == 10
