"""What goes wrong with a bot on Telegram: each is handled, and told the operator in one clear line."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from adapters.services import open_services
from adapters.telegram import adapter
from adapters.telegram.client import signed_in
from bot.errors import ConfigError, DeliveryError
from tests.adapters.strict.telegram.server import TOKEN, ApiError, BotApi, serving
from tests.adapters.strict.telegram.world import ANN, ME, Json, World
from tests.adapters.telegram.rig import config, connected, whole
from tests.bot.rig import ScriptedEngine, echo


async def test_a_wrong_token_is_one_clear_line() -> None:
    api = BotApi(token="1:other")
    async with serving(api) as address:
        with pytest.raises(ConfigError, match="@BotFather") as refused:
            async with signed_in(config(address)):
                pass
    assert TOKEN not in str(refused.value)


async def test_a_telegram_that_is_away_at_the_start_is_one_clear_line() -> None:
    with pytest.raises(DeliveryError, match=r"^httpx\.ConnectError") as away:
        async with signed_in(config("http://127.0.0.1:9")):
            pass
    assert TOKEN not in str(away.value)


async def test_a_token_that_is_taken_back_ends_polling_with_the_same_line(tmp_path: Path) -> None:
    api = BotApi()
    api.refuse("getUpdates", ApiError("Unauthorized", 401))
    async with serving(api) as address, open_services(config(address), tmp_path, [ScriptedEngine(echo)]) as services:
        with pytest.raises(ConfigError, match="@BotFather"):
            await adapter.run(services, lambda url: None)


async def test_a_second_poller_is_said_once_and_costs_no_update(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.telegram.polling.CONFLICT_SECONDS", 0.05)
    api = BotApi()
    api.refuse("getUpdates", *[ApiError("Conflict: terminated by other getUpdates request", 409)] * 3)
    async with connected(api) as telegram:
        await telegram.world.say(telegram.world.private(), "still heard")
        assert (await telegram.bot.hears()).incoming.text == "still heard"
    assert len(_lines(log, "another program polls with this bot's token")) == 1


async def test_who_blocks_the_bot_is_answered_no_more_and_costs_nobody_else_anything(tmp_path: Path, log: io.StringIO) -> None:
    async with whole(tmp_path) as telegram:
        telegram.engine.gate.clear()
        one, other = telegram.world.private(), telegram.world.private({**ANN, "id": 7})
        await telegram.world.say(one, "bye")
        await telegram.until(lambda: telegram.engine.running == 1)
        telegram.api.blocked_by.add(one)
        await telegram.world.tell("my_chat_member", _became(telegram.world, one, {"status": "kicked", "until_date": 0}))
        await telegram.until(lambda: telegram.engine.running == 0)
        telegram.engine.gate.set()
        await telegram.world.say(other, "hello", by={**ANN, "id": 7})
        assert await telegram.answers(other) == ["You asked: hello"]
        assert telegram.said(one) == []
    assert len(_lines(log, "blocked by this person")) == 1


async def test_an_answer_to_somebody_who_blocked_the_bot_meanwhile_is_given_up(tmp_path: Path, log: io.StringIO) -> None:
    async with whole(tmp_path) as telegram:
        chat, other = telegram.world.private(), telegram.world.private({**ANN, "id": 7})
        telegram.api.blocked_by.add(chat)
        await telegram.world.say(chat, "bye")
        await telegram.world.say(other, "hello", by={**ANN, "id": 7})
        assert await telegram.answers(other) == ["You asked: hello"]
        await telegram.until(lambda: len(_lines(log, "bot was blocked by the user")) == 1)
    assert len(telegram.api.called("sendMessage")) == 2


async def test_a_group_that_removes_the_bot_is_left_calmly(tmp_path: Path, log: io.StringIO) -> None:
    async with whole(tmp_path) as telegram:
        telegram.engine.gate.clear()
        group, chat = telegram.world.group(), telegram.world.private()
        await telegram.world.say(group, "@gander_bot first")
        await telegram.world.say(group, "@gander_bot second")
        await telegram.until(lambda: telegram.engine.running == 1)
        await telegram.world.tell("my_chat_member", _became(telegram.world, group, {"status": "left"}))
        await telegram.until(lambda: len(_lines(log, "removed from this group")) == 1)
        telegram.engine.gate.set()
        await telegram.world.say(chat, "next")
        assert await telegram.answers(chat) == ["You asked: next"]
    assert len(telegram.engine.requests) == 2


async def test_a_group_that_becomes_a_supergroup_keeps_its_settings_and_its_conversation(tmp_path: Path, log: io.StringIO) -> None:
    async with whole(tmp_path, access={"allow_channels": ["telegram:-5"]}) as telegram:
        old, new = telegram.world.group(-5), telegram.world.group(-100_77)
        telegram.world.managers |= {(old, ANN["id"]), (new, ANN["id"])}
        await telegram.world.say(old, "/temperature 0.7 channel")
        await telegram.world.say(old, "@gander_bot first")
        await telegram.until(lambda: any(each["text"].startswith("You asked: first") for each in telegram.said(old)))
        telegram.api.migrated[old] = new
        await telegram.world.tell("message", telegram.world.keep(old, ANN, migrate_to_chat_id=new))
        await telegram.world.say(new, "@gander_bot second")
        await telegram.until(lambda: any(each["text"].startswith("You asked: second") for each in telegram.said(new)))
    assert telegram.engine.requests[-1].temperature == 0.7
    assert [str(message.content) for message in telegram.engine.requests[-1].messages][:2] == ["first", "You asked: first"]
    told = _lines(log, "a group has a new id")
    assert len(told) == 1
    assert "telegram:-5" in told[0]
    assert "telegram:-10077" in told[0]


async def test_an_answer_on_its_way_follows_the_group(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        old, new = telegram.world.group(-5), telegram.world.group(-100_77)
        telegram.engine.gate.clear()
        await telegram.world.say(old, "@gander_bot where are you?")
        await telegram.until(lambda: telegram.engine.running == 1)
        telegram.api.migrated[old] = new
        telegram.engine.gate.set()
        await telegram.until(lambda: bool(telegram.said(new)))
        assert telegram.said(new)[0]["text"] == "You asked: where are you?"


def _became(world: World, chat: int, status: Json) -> Json:
    """What Telegram tells of the bot's own membership."""
    was = {"user": ME, "status": "member"}
    return {"chat": world.chats[chat], "from": ANN, "date": 1, "old_chat_member": was, "new_chat_member": {"user": ME, **status}}


def _lines(log: io.StringIO, words: str) -> list[str]:
    return [line for line in log.getvalue().splitlines() if words in line]


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
