"""What a server forbids an answer in the middle of it: the answer is said once elsewhere or anew, or it is said why not."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.discord.whole_bot.test_privacy import everything
from tests.adapters.strict.discord.whole import whole
from tests.adapters.strict.discord.world import buttons
from tests.bot.rig import ScriptedEngine, Valve

WORDS = ["One ", "white ", "goose."]


async def test_automod_blocks_the_end_and_the_answer_says_so(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda _: WORDS, gate=Valve(1))
    async with whole(tmp_path, engine) as bot:
        engine.gate.clear()
        bot.api.rules.blocked.add("white")
        bot.world.asks("how many geese?")
        await bot.until(lambda: any("One" in each.content for each in bot.world.said()))
        engine.gate.set()
        await bot.until(lambda: any("AutoMod" in each.content for each in bot.world.said()))
        [answer] = bot.world.said()
    assert not any("stop" in str(button) for button in buttons(answer))


async def test_an_answer_whose_thread_was_locked_is_said_to_whoever_asked(tmp_path: Path) -> None:
    """And to nobody else: a private thread's words do not belong into its channel."""
    engine = ScriptedEngine(lambda _: WORDS)
    async with whole(tmp_path, engine) as bot:
        engine.gate.clear()
        thread = bot.world.thread()
        bot.world.guild.members[bot.world.me.id].role_ids.clear()
        bot.world.asks("how many geese?", channel=thread)
        await bot.until(lambda: engine.running == 1)
        assert thread.thread_metadata is not None
        thread.thread_metadata.archived = thread.thread_metadata.locked = True
        engine.gate.set()
        direct = bot.world.direct(bot.world.ann)
        await bot.until(lambda: any("One white goose." in each.content for each in bot.world.said(direct)))
        [said] = everything(bot.world)
    assert "closed" in said.content
    assert buttons(said) == []
