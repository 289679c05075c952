"""`/help` lists every command, explains each, and proposes the nearest."""

from __future__ import annotations

from bot.command_registry import COMMANDS, CommandRunner
from bot.texts.marked_commands import show_plain
from tests.bot.commands.diary import Diary, refusal, say
from tests.bot.people import commanded


async def test_help_lists_every_command_and_explains_each(runner: CommandRunner, diary: Diary) -> None:
    listed = show_plain(await say(runner, diary, commanded("help")))
    for name in COMMANDS:
        assert f"/{name} " in listed
        assert f"/{name}" in show_plain(await say(runner, diary, commanded("help", topic=f"/{name}")))
    assert "top_p" in await say(runner, diary, commanded("help", topic="top_p"))
    assert await say(runner, diary, commanded("help", topic="束数")) == await say(runner, diary, commanded("help", topic="beams"))


async def test_help_with_something_unknown_proposes_the_nearest(runner: CommandRunner, diary: Diary) -> None:
    assert await refusal(runner, diary, commanded("help", topic="temprature")) == (
        "help.near",
        {"topic": "temprature", "near": "temperature"},
    )
    assert (await refusal(runner, diary, commanded("help", topic="qqq")))[0] == "help.unknown"
