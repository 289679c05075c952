"""The buttons under an answer: for the asker alone, and alive after a restart."""

from __future__ import annotations

import discord

from adapters.discord.buttons import view_of
from bot.platform import Action, Button, Outgoing
from bot.texts import load_texts
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


async def test_an_address_becomes_a_link_and_stands_for_no_command() -> None:
    message = Outgoing("A cat.", (Button.AGAIN,), 7, actions=(Action("How?", "", "https://gander.example/how/x"),))
    view = view_of(message, load_texts())
    assert view is not None
    again, link = (child for child in view.children if isinstance(child, discord.ui.Button))
    assert (link.url, link.custom_id, link.label) == ("https://gander.example/how/x", None, "How?")
    assert (again.url, again.custom_id) == (None, "gander:again:7")
