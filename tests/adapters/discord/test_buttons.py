"""The buttons under an answer: for the asker alone, and alive after a restart."""

from __future__ import annotations

from tests.adapters.discord.whole import Whole


async def test_pain_only_the_asker_may_press(whole: Whole) -> None:
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} hello")
    await whole.ends(1)
    refused = await whole.server.bob.click(whole.server.said()[-1], label="Again")
    await whole.until(lambda: bool(refused.followups))
    assert refused.followups[0].ephemeral
    await whole.server.ann.click(whole.server.said()[-1], label="Again")
    await whole.ends(2)


async def test_buttons_work_after_a_restart(whole: Whole) -> None:
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} hello")
    await whole.ends(1)
    await whole.restart()
    await whole.server.ann.click(whole.server.said()[-1], label="Again")
    assert len(await whole.ends(2)) == 2
