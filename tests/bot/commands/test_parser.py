"""Commands as people type them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.command_registry import COMMANDS
from bot.commands.parser import find_command, parse_command
from bot.message import Invocation
from bot.texts import load_texts

TEXTS = load_texts()


def parsed(text: str, bot_name: str | None = "TheBot") -> Invocation | None:
    return parse_command(text, COMMANDS, TEXTS, bot_name)


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("/temperature", "temperature", {}),
        ("/temperature 0.7", "temperature", {"value": "0.7"}),
        ("/temperature 0.7 server", "temperature", {"value": "0.7", "scope": "server"}),
        ("/temperature 0.7 scope:server", "temperature", {"value": "0.7", "scope": "server"}),
        ("/temperature scope=me 0.7", "temperature", {"value": "0.7", "scope": "me"}),
        ("/temperature@thebot 0.7", "temperature", {"value": "0.7"}),
        ("/TEMPERATURE 0.7", "temperature", {"value": "0.7"}),
        ("/temperature default", "temperature", {"clear": True}),
        ("/temperature default me", "temperature", {"clear": True, "scope": "me"}),
        ("/温度 0.7 范围：我", "temperature", {"value": "0.7", "scope": "我"}),
        ("/beams 默认", "beams", {"clear": True}),
        ("/溫度 0.7 範圍：我", "temperature", {"value": "0.7", "scope": "我"}),
        ("/束數 預設", "beams", {"clear": True}),
        ("/設定 名稱:system_prompt 值:「簡短 回答」", "settings", {"name": "system_prompt", "value": "簡短 回答"}),
        ("/language 中文", "language", {"value": "中文"}),
        ("/ask what is it?", "ask", {"prompt": "what is it?"}),
        ("/ask", "ask", {}),
        ("/ask  two\nlines  here ", "ask", {"prompt": "two\nlines  here"}),
        ("/ask what is it? temperature:0.2 beams:5", "ask", {"prompt": "what is it?", "temperature": "0.2", "beams": "5"}),
        ("/ask is 3:2 the ratio? see http://x", "ask", {"prompt": "is 3:2 the ratio? see http://x"}),
        ("/提问 这是什么？ 温度：0.2", "ask", {"prompt": "这是什么？", "temperature": "0.2"}),
        ("/settings system_prompt Be brief, please.", "settings", {"name": "system_prompt", "value": "Be brief, please."}),
        (
            "/settings name:system_prompt value:“Be brief.” scope:me",
            "settings",
            {"name": "system_prompt", "value": "Be brief.", "scope": "me"},
        ),
        ("/settings top_p default", "settings", {"name": "top_p", "clear": True}),
        ("/settings system_prompt\nBe brief.", "settings", {"name": "system_prompt", "value": "Be brief."}),
        ("/ask prompt:what is it? temperature:0.2", "ask", {"prompt": "what is it?", "temperature": "0.2"}),
        ("/ask temperature:0.2 prompt:what is it?", "ask", {"prompt": "what is it?", "temperature": "0.2"}),
        ("/demo start prompt:What is funny? slow:30", "demo", {"action": "start", "prompt": "What is funny?", "slow": "30"}),
        ("/settings open:yes", "settings", {"open": "yes"}),
        ("/again temperature:1.2", "again", {"temperature": "1.2"}),
        ("/continue", "continue", {}),
        ("/forget confirm:yes", "forget", {"confirm": "yes"}),
        ("/forget chat", "forget", {"what": "chat"}),
        ("/setup rule:allow chat:5", "setup", {"rule": "allow", "channel": "5"}),
        ("/help beams", "help", {"topic": "beams"}),
        ("/frobnicate now", "help", {"topic": "frobnicate"}),
    ],
)
def test_a_typed_command_is_read(text: str, name: str, options: dict[str, Any]) -> None:
    assert parsed(text) == Invocation(name, options)


NO_COMMANDS = ("", "what is it?", "/", "/ ask", "/home/x.png is what?", "look: /ask", "/ask@otherbot hello", "1/2", "//ask")


@pytest.mark.parametrize("text", NO_COMMANDS)
def test_what_is_no_command_of_ours_is_left_alone(text: str) -> None:
    assert parsed(text) is None


def test_a_button_cannot_be_typed() -> None:
    assert parsed("/stop 7") == Invocation("stop", {})
    assert parsed("/ask answer_id:7") == Invocation("ask", {"prompt": "answer_id:7"})


def test_a_command_is_found_by_its_name_in_any_language() -> None:
    assert find_command("温度", COMMANDS, TEXTS) is COMMANDS["temperature"]
    assert find_command("Beams", COMMANDS, TEXTS) is COMMANDS["beams"]
    assert find_command("nothing", COMMANDS, TEXTS) is None


@given(st.text(max_size=80).map(lambda text: "/" + text) | st.text(max_size=80))
def test_any_text_is_a_known_command_or_none(text: str) -> None:
    invocation = parsed(text)
    assert invocation is None or invocation.name in COMMANDS
