"""The commands of single settings: explained, set for a scope, taken back, refused beyond their range."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from bot.engines.engine import EngineState
from tests.bot.commands.diary import Diary, refusal, say
from tests.bot.people import ADA, MODERATOR, PRIVATE, SERVER, commanded


async def test_a_setting_without_a_value_explains_itself_and_shows_where_it_comes_from(runner: CommandRunner, diary: Diary) -> None:
    explained = await say(runner, diary, commanded("temperature"))
    assert explained.splitlines()[0].startswith("**Temperature** is how daring")
    assert "**temperature**: 0.6 · the model's default" in explained
    assert "From 0 to 2." in explained
    await runner.run(commanded("temperature", MODERATOR, value=1.0), diary)
    assert "**temperature**: 1 · set in this channel" in await say(runner, diary, commanded("temperature"))
    assert "**温度**：1 · 本频道的设置" in await say(runner, diary, commanded("temperature", ADA, SERVER, "zh-CN"))


async def test_a_setting_says_so_when_no_engine_tells_the_default(runner: CommandRunner, diary: Diary) -> None:
    diary.states = (EngineState("down", None, 0),)
    assert "**temperature**: up to the model" in await say(runner, diary, commanded("temperature"))


async def test_a_manager_sets_the_channel_and_anybody_else_themselves(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("beams", MODERATOR, value=3)) == "beams is now **3** for this channel."
    assert await say(runner, diary, commanded("beams", ADA, value="4")) == "beams is now **4** for you."
    in_private = (await say(runner, diary, commanded("beams", ADA, PRIVATE, value=2))).splitlines()
    assert in_private == ["beams is now **2** for this channel.", "For you it stays 4: you set that for yourself, and it goes first."]
    assert (await refusal(runner, diary, commanded("beams", ADA, value=2, scope="channel")))[0] == "settings.not_yours_to_set"
    assert (await refusal(runner, diary, commanded("beams", ADA, value=2, scope="服务器")))[0] == "settings.not_a_choice"
    assert await say(runner, diary, commanded("beams", MODERATOR, value=2, scope="本服务器")) == "beams is now **2** for this server."


async def test_a_setting_is_taken_back(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("beams", value=3), diary)
    assert await say(runner, diary, commanded("beams", clear=True)) == "beams is no longer set for you.\n**beams**: 1 · default"
    assert (await say(runner, diary, commanded("beams", clear="yes"))).startswith("beams was not set for you.")


async def test_a_value_out_of_range_or_above_the_cap_is_refused(runner: CommandRunner, diary: Diary) -> None:
    assert await refusal(runner, diary, commanded("temperature", value=3)) == (
        "settings.not_a_number_in_range",
        {"name": "temperature", "low": 0, "high": 2, "given": "3"},
    )
    assert await refusal(runner, diary, commanded("beams", value=9)) == ("settings.above_cap", {"name": "beams", "limit": 5.0})
