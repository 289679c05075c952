"""What each command does and says, with real settings in a real database; the bot's actions are written down."""

from __future__ import annotations

from typing import Any

import pytest

from bot.command_registry import CommandRunner
from tests.bot.commands.diary import Diary, refusal
from tests.bot.people import commanded, given, said


@pytest.mark.parametrize(("name", "expected"), [("again", ("again", 7, {})), ("continue", ("resume", 7)), ("stop", ("stop", 7))])
async def test_a_button_acts_on_its_answer(runner: CommandRunner, diary: Diary, name: str, expected: tuple[Any, ...]) -> None:
    await runner.run(commanded(name, answer_id=7), diary)
    assert diary.done == [expected]


async def test_what_no_platform_may_send_is_refused(runner: CommandRunner, diary: Diary) -> None:
    assert (await refusal(runner, diary, commanded("frobnicate")))[0] == "help.unknown"
    assert (await refusal(runner, diary, said()))[0] == "help.unknown"
    assert (await refusal(runner, diary, given("beams", {"warmth": 1})))[0] == "help.unknown_option"


async def test_buttons_take_no_forged_answers(runner: CommandRunner, diary: Diary) -> None:
    for name in ("again", "stop", "continue"):
        assert (await refusal(runner, diary, commanded(name, answer_id="x")))[0] == "answer.unknown"
