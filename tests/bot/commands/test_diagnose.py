"""`/diagnose` tells managers what is found, and what the place is called."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from tests.bot.commands.diary import Diary, refusal, say
from tests.bot.people import ADA, MODERATOR, PRIVATE, commanded


async def test_diagnose_tells_managers_what_is_found_and_what_the_place_is_called(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("diagnose", ADA, PRIVATE)) == (
        "Nothing can be missing here.\nIn my configuration, [access] names this place discord:dm."
    )
    diary.findings = ("access.place", "discord.complete")
    told = await say(runner, diary, commanded("diagnose", MODERATOR))
    assert told.splitlines()[:2] == ["Sorry, I may not talk in this channel.", "I have every permission that I need in this channel."]
    assert told.splitlines()[2].endswith("this channel discord:general and this server discord:goose.")
    assert (await refusal(runner, diary, commanded("diagnose", ADA)))[0] == "settings.not_yours_to_open"
    assert [runner.is_upkeep(commanded("diagnose", each)) for each in (MODERATOR, ADA)] == [True, False]
    assert not runner.is_upkeep(commanded("ask", MODERATOR))
    assert not runner.is_upkeep(commanded("demo", MODERATOR))
