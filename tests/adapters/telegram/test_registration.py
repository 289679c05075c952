"""Which commands Telegram is told of: in every scope and language, delaying nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.command_registry import COMMANDS
from tests.adapters.strict.telegram.server import BotApi
from tests.adapters.telegram.rig import whole


async def test_commands_that_can_not_be_offered_delay_nothing(tmp_path: Path) -> None:
    api = BotApi(held={"setMyCommands": asyncio.Event()})
    async with whole(tmp_path, api=api) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Heard?")
        assert await telegram.answers(chat) == ["You asked: Heard?"]
    assert api.called("setMyCommands")
    assert not api.commands


async def test_commands_are_offered_per_scope_and_language(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        offered = telegram.api.commands
        await telegram.until(lambda: len(offered) == 12)
    scopes = {"default", "all_private_chats", "all_group_chats", "all_chat_administrators"}
    assert offered.keys() == {(scope, language) for scope in scopes for language in ("", "en", "zh")}
    for (scope, _), commands in offered.items():
        managers = scope in {"all_private_chats", "all_chat_administrators"}
        assert [each["command"] for each in commands] == [
            name
            for name, each in COMMANDS.items()
            if (managers or not each.for_managers) and (scope, name) != ("all_private_chats", "setup")
        ]
    assert offered["all_private_chats", "zh"][0]["description"] != offered["all_private_chats", "en"][0]["description"]
    assert "diagnose" in {each["command"] for each in offered["all_chat_administrators", "en"]}
    assert "diagnose" not in {each["command"] for each in offered["all_group_chats", "en"]}
