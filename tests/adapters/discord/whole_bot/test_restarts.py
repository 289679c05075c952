"""Whoever gave a command is answered, by the way of that command, over errors and over the bot's restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.config.schema import LimitOptions
from bot.questions.ask import AskService
from tests.adapters.discord.whole_bot.test_privacy import LOADING, everything
from tests.adapters.strict.discord.api import Failure
from tests.adapters.strict.discord.whole import whole
from tests.adapters.strict.discord.world import buttons
from tests.bot.rig import ScriptedEngine, Valve

WEBHOOK = "/webhooks/*"


async def test_settings_come_back_with_their_buttons(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        bot.api.fail("PATCH", WEBHOOK, *[Failure(cut=True)] * 100)
        bot.world.gives("settings")
        await bot.until(lambda: len(bot.api.called("PATCH", WEBHOOK)) > 0)
    bot.api.failures.clear()
    async with whole(tmp_path, world=bot.world, api=bot.api) as again:
        await again.private_replies(again.world.ann)
        [panel] = again.world.private_messages(again.world.ann)
        assert buttons(panel)
        assert again.world.said() == []


@pytest.mark.parametrize("heard", [True, False], ids=["recorded", "unheard"])
async def test_an_answer_to_a_command_goes_on_in_its_message(tmp_path: Path, *, heard: bool) -> None:
    words = ["One ", "white ", "goose."]
    engine = ScriptedEngine(lambda _: words, gate=Valve(1))
    async with whole(tmp_path, engine) as bot:
        engine.gate.clear()
        if not heard:
            bot.api.mute("PATCH", WEBHOOK)
        bot.world.gives("ask", prompt="tell me a story")
        await bot.until(lambda: any("One" in each.content for each in bot.world.said()))
        if heard:
            await asyncio.sleep(0.2)  # for the record of it; without it the other case is tested twice
    bot.api.muted.clear()
    async with whole(tmp_path, ScriptedEngine(lambda _: words), world=bot.world, api=bot.api) as again:
        await again.until(lambda: any("goose." in each.content for each in again.world.said()))
        await again.until(lambda: not any("stop" in str(button) for each in everything(again.world) for button in buttons(each)))
        assert len(again.world.said()) == 1


async def test_a_command_that_a_kill_cut_off_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def hang(*_: object, **__: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(AskService, "ask", hang)
        async with whole(tmp_path) as bot:
            bot.world.gives("ask", prompt="tell me a story")
            async with asyncio.timeout(90):
                await begun.wait()
    async with whole(tmp_path, world=bot.world, api=bot.api) as again:
        await again.until(lambda: any("try that again" in each.content for each in everything(again.world)))
        assert not any(each.flags & LOADING for each in everything(again.world))


async def test_ten_quick_questions_all_end_in_words(tmp_path: Path) -> None:
    async with whole(
        tmp_path, limits=LimitOptions(burst=3, cooldown_seconds=60, questions_per_person=100, answer_hours=0).model_dump()
    ) as bot:
        for number in range(10):
            bot.world.gives("ask", prompt=f"question {number}")
        await bot.until(lambda: len([each for each in bot.world.private_messages(bot.world.ann) if "A little slower" in each.content]) == 7)
        await bot.until(lambda: len([each for each in bot.world.said() if "question" in each.content]) == 3)
        await bot.until(lambda: not any(each.flags & LOADING for each in everything(bot.world)))
