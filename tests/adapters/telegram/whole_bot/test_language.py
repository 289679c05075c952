"""Telegram's own language: chats and groups, commands to tap, a greeting with the next step; and silence where the bot is not wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.strict.telegram.server import ApiError
from tests.adapters.strict.telegram.world import ANN, BOB, ME, Json
from tests.adapters.telegram.rig import Whole, whole
from tests.bot.rig import ScriptedEngine, Valve


def added(telegram: Whole, chat: int, by: Json = ANN, was: str = "left") -> Json:
    """What Telegram tells when somebody adds the bot."""
    before, after = ({"user": ME, "status": status} for status in (was, "member"))
    return {"chat": telegram.world.chats[chat], "from": by, "date": 1, "old_chat_member": before, "new_chat_member": after}


async def test_who_adds_the_bot_reads_what_the_configuration_calls_the_group_and_what_to_do(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        await telegram.world.tell("my_chat_member", added(telegram, group))
        [greeting] = await telegram.answers(group)
        await telegram.world.tell("my_chat_member", added(telegram, group, was="member"))  # rights that change
        await telegram.world.say(group, "@gander_bot hello")
        assert len(await telegram.answers(group, 2)) == 2
    assert "mention me" in greeting
    assert "telegram:-1005" in greeting


async def test_where_it_may_not_answer_the_greeting_says_who_lets_it_in_and_how(tmp_path: Path) -> None:
    async with whole(tmp_path, access={"allow_channels": ["telegram:-7"]}) as telegram:
        for chat, by in ((-100_5, ANN), (-100_6, BOB)):
            group = telegram.world.group(chat)
            await telegram.world.tell("my_chat_member", added(telegram, group, by))
        [english], [chinese] = await telegram.answers(-100_5), await telegram.answers(-100_6)
    assert "adds telegram:-1005 to allow_channels under [access]" in english
    assert "telegram:-1006 加到配置 [access] 的 allow_channels 里" in chinese


async def test_people_read_what_the_bot_is_for_before_they_start_it(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        await telegram.until(lambda: len(telegram.api.descriptions) == 6)
        told = telegram.api.descriptions
    assert "Show me a picture" in told["setMyDescription", ""] == told["setMyDescription", "en"]
    assert "给我看一张图" in told["setMyDescription", "zh"]
    assert told["setMyShortDescription", "zh"] != told["setMyShortDescription", "en"]


async def test_commands_in_help_can_be_tapped(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        for person in (ANN, BOB):
            chat = telegram.world.private(person)
            await telegram.world.say(chat, "/help", by=person)
            await telegram.answers(chat)
            [said] = telegram.said(chat)
            units = said["text"].encode("utf-16-le")
            code = [each for each in said["entities"] if each["type"] in {"code", "pre"}]
            verbatim = [units[2 * each["offset"] : 2 * (each["offset"] + each["length"])].decode("utf-16-le") for each in code]
            assert not any(words in {"/ask", "/settings", "/setup"} for words in verbatim)
            assert all(line.isascii() for line in (part.split()[0] for part in said["text"].splitlines() if part.startswith("/")))
            assert {"/ask", "/settings", "/forget"} <= {part.split()[0] for part in said["text"].splitlines() if part.startswith("/")}


@pytest.mark.parametrize("rule", ["rule:adults", "rule:moderators role:7", "rule:allow role:7", "rule:allow chat:-77"])
async def test_what_telegram_has_not_makes_no_rule_that_keeps_everybody_out(tmp_path: Path, rule: str) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        telegram.world.managers.add((group, ANN["id"]))
        await telegram.world.say(group, f"/setup {rule}")
        [refused] = await telegram.answers(group)
        assert not any(word in refused for word in ("channel", "server", "Rules here"))
        await telegram.world.say(group, "@gander_bot still there?", by=BOB)
        assert (await telegram.answers(group, 2))[1] == "You asked: still there?"


@pytest.mark.parametrize("words", ["Forbidden: bot was kicked from the supergroup chat", "Bad Request: CHAT_WRITE_FORBIDDEN"])
async def test_where_the_bot_may_not_write_any_more_the_engine_stops_writing(tmp_path: Path, words: str) -> None:
    engine = ScriptedEngine(lambda _: ["One ", "white ", "goose."], gate=Valve(1))
    async with whole(tmp_path, engine) as telegram:
        engine.gate.clear()
        group = telegram.world.group()
        error = ApiError(words, 403 if words.startswith("Forbidden") else 400)
        telegram.api.refuse("sendMessage", *[error] * 9)
        telegram.api.refuse("editMessageText", *[error] * 9)
        await telegram.world.say(group, "@gander_bot tell me all")
        await telegram.until(lambda: len(engine.requests) == 1)
        await telegram.until(lambda: engine.running == 0)
    assert not engine.gate.is_set()
