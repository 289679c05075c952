"""The entries under a message's "Apps": a question about its picture, or its description."""

from __future__ import annotations

import pytest

from tests.adapters.discord.rig import TEXTS
from tests.adapters.discord.whole import GOOSE, Whole


async def test_describe_answers_about_anybody_s_picture(whole: Whole) -> None:
    photo = await whole.server.bob.send(whole.server.channel, "my goose", attachments=[("goose.png", GOOSE)])
    await whole.server.ann.context_menu(whole.server.channel, "Describe", photo)
    assert await whole.ends(1) == ["> **ann**: What is in this picture?\n\nYou asked: What is in this picture?"]


@pytest.mark.parametrize("entry", ["Ask about this picture", "Describe"])
async def test_a_message_without_a_picture_is_refused_to_whoever_chose_it(whole: Whole, entry: str) -> None:
    """It thought where all could see it, in a message that only Discord's word "@original" names: that goes, and no form opens."""
    message = await whole.server.bob.send(whole.server.channel, "no picture at all")
    chosen = await whole.server.ann.context_menu(whole.server.channel, entry, message)
    assert chosen.modal is None
    refusal = TEXTS.render("en", "ask.no_picture_there").partition(".")[0]
    await whole.until(lambda: any(refusal in each.content for each in chosen.followups))
    assert all(each.ephemeral for each in chosen.followups)
    assert whole.server.said() == []
    assert whole.engine.requests == []
