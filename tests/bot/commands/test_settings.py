"""`/settings` shows all with their origins, sets any, and opens them to all."""

from __future__ import annotations

from bot.command_registry import CommandRunner
from bot.engines.engine import EngineState
from tests.bot.commands.diary import READY, Diary, refusal, say
from tests.bot.people import ADA, MODERATOR, commanded


async def test_settings_shows_all_with_origins_and_sets_any(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("settings", name="top_p", value="0.9"), diary)
    await runner.run(commanded("settings", MODERATOR, name="memory", value="replies"), diary)
    shown = (await say(runner, diary, commanded("settings"))).splitlines()
    assert "**top_p**: 0.9 · set by you" in shown
    assert "**memory**: replies only · set in this channel" in shown
    assert "**beams**: 1 · default" in shown
    assert "**temperature**: 0.6 · the model's default" in shown
    assert "**length_penalty**: up to the model" in shown
    assert "**detail**: low · set by the person who runs me" in shown
    assert "**language**: English · as your app is set" in shown
    assert (await refusal(runner, diary, commanded("settings", name="warmth")))[0] == "settings.not_a_choice"


async def test_detail_is_bounded_by_the_operator_and_unsaid_where_a_model_knows_none(runner: CommandRunner, diary: Diary) -> None:
    capped = "**detail**: high · set by you (cut to low, the most that the person who runs me allows)"
    said = await say(runner, diary, commanded("settings", name="detail", value="High"))
    assert said == "detail is now **high** for you."
    assert capped in (await say(runner, diary, commanded("settings"))).splitlines()
    assert capped in (await say(runner, diary, commanded("settings", name="detail"))).splitlines()
    diary.states = (EngineState("http://secret.example", READY.model_copy(update={"picture_detail": ""}), 2),)
    assert "detail" not in await say(runner, diary, commanded("settings"))
    said = await say(runner, diary, commanded("settings", name="detail", value="low"))
    assert "The engine that answers here doesn't know detail: the value has no effect on it." in said


async def test_a_long_system_prompt_is_shown_short(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("settings", name="system_prompt", value="Be very brief. " * 60), diary)
    assert max(map(len, (await say(runner, diary, commanded("settings"))).splitlines())) < 200


async def test_settings_can_be_opened_to_all(runner: CommandRunner, diary: Diary) -> None:
    assert (await refusal(runner, diary, commanded("settings", open=True)))[0] == "settings.not_yours_to_open"
    assert (
        await say(runner, diary, commanded("settings", MODERATOR, open="yes")) == "Everyone here may now change the settings of this place."
    )
    assert await say(runner, diary, commanded("beams", ADA, value=3)) == "beams is now **3** for this channel."
