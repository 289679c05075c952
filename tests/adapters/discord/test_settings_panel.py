"""The settings panel shows where values come from, and sets one."""

from __future__ import annotations

from tests.adapters.discord.whole import Whole


async def test_the_panel_shows_origins_and_sets_a_value(whole: Whole) -> None:
    shown = await whole.server.ann.slash(whole.server.channel, "settings")
    await whole.until(lambda: shown.response is not None and bool(shown.response.components))
    assert shown.response is not None
    assert "default" in shown.response.content
    form = await whole.server.ann.select(shown.response, ["beams"], custom_id="gander-panel:pick")
    assert form.modal is not None
    value, scope = (each["component"]["custom_id"] for each in form.modal["components"])
    done = await whole.server.ann.submit_modal(form, {value: "3", scope: ["me"]})
    await whole.until(lambda: done.response is not None and "3" in done.response.content)
    assert done.ephemeral
