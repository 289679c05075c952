"""What goes wrong with a bot on Telegram: each is handled, and told the operator in one clear line."""

from __future__ import annotations

import io
from pathlib import Path

from tests.adapters.strict.telegram.world import ANN, ME, Json, World
from tests.adapters.telegram.rig import whole


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


async def test_a_group_s_new_id_that_is_told_twice_holds_up_nothing(tmp_path: Path, log: io.StringIO) -> None:
    async with whole(tmp_path) as telegram:
        old, new = telegram.world.group(-5), telegram.world.group(-100_77)
        telegram.api.migrated[old] = new
        for _ in range(2):
            await telegram.world.tell("message", telegram.world.keep(old, ANN, migrate_to_chat_id=new))
        await telegram.world.say(new, "@gander_bot first")
        await telegram.until(lambda: bool(telegram.said(new)))
    assert not _lines(log, "can't be read")


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
