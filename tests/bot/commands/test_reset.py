"""`/reset` is said to all."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from tests.bot.commands.diary import Diary
from tests.bot.people import commanded


async def test_reset_is_said_to_all(runner: CommandRunner, diary: Diary) -> None:
    outgoing = await runner.run(commanded("reset"), diary)
    assert outgoing is not None
    assert not outgoing.private
    assert diary.done == [("reset",)]
