"""`/stop` says what it stopped."""

from __future__ import annotations

import pytest

from bot.command_registry import CommandRunner
from tests.bot.commands.diary import Diary, say
from tests.bot.people import commanded


@pytest.mark.parametrize(
    ("stopped", "expected"), [(0, "Nothing is being written for you here."), (1, "Stopped."), (2, "Stopped 2 answers.")]
)
async def test_stop_says_what_it_stopped(runner: CommandRunner, diary: Diary, stopped: int, expected: str) -> None:
    diary.stopped = stopped
    assert await say(runner, diary, commanded("stop")) == expected
