"""`/again` takes other settings."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from tests.bot.commands.diary import Diary
from tests.bot.people import commanded


async def test_again_takes_other_settings(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("again", temperature=1.2), diary)
    assert diary.done == [("again", None, {"temperature": 1.2})]
