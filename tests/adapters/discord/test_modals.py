"""The small windows that Discord opens: one that is sent asks, one that nobody sends is forgotten."""

from __future__ import annotations

from adapters.discord.modals import OPEN_SECONDS
from tests.adapters.discord.whole import GOOSE, Whole


async def test_a_form_that_nobody_sends_is_forgotten(whole: Whole) -> None:
    photo = await whole.server.bob.send(whole.server.channel, "my goose", attachments=[("goose.png", GOOSE)])
    await whole.server.ann.context_menu(whole.server.channel, "Ask about this picture", photo)
    kept = whole.server.client._connection._view_store._modals
    assert len(kept) == 1
    await whole.server.env.advance_time(OPEN_SECONDS + 1)
    assert kept == {}


async def test_ask_about_this_picture_opens_a_form(whole: Whole) -> None:
    photo = await whole.server.bob.send(whole.server.channel, "my goose", attachments=[("goose.png", GOOSE)])
    form = await whole.server.ann.context_menu(whole.server.channel, "Ask about this picture", photo)
    assert form.modal is not None
    question = form.modal["components"][0]["component"]["custom_id"]
    await whole.server.ann.submit_modal(form, {question: "how old?"})
    await whole.says("You asked: how old?")
