"""`/language` is spoken at once."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from tests.bot.commands.diary import Diary, refusal, say
from tests.bot.people import MODERATOR, commanded


async def test_language_is_set_for_oneself_and_spoken_at_once(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("language", MODERATOR, value="中文")) == "language is now **简体中文** for you."
    assert "**语言**：简体中文 · 你设置的" in await say(runner, diary, commanded("language", MODERATOR))
    assert (await refusal(runner, diary, commanded("language", value="Klingon")))[0] == "settings.not_a_choice"
