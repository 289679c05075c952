"""`/demo` is for managers."""

from __future__ import annotations

from bot.command_registry import COMMANDS, CommandRunner
from tests.bot.commands.diary import TEXTS, Diary, refusal
from tests.bot.people import ADA, commanded


async def test_demos_are_for_managers(runner: CommandRunner, diary: Diary) -> None:
    assert (await refusal(runner, diary, commanded("demo", ADA, action="start")))[0] == "settings.not_yours_to_open"
    assert "for the projector" in COMMANDS["demo"].descriptions(TEXTS)["en"]
