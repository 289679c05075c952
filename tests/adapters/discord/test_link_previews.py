"""The picture of a link is waited for, and a link without one holds up nothing."""

from __future__ import annotations

import pytest

from adapters.discord.client import DiscordClient
from adapters.discord.link_previews import PATIENCE_SECONDS, LinkPreviews
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import PROXIED
from tests.adapters.strict.discord.server import ANN, Wire, message_payload

LINK = "what is https://goose.example/ ?"


THUMBNAIL = {"url": "https://goose.example/goose.png", "proxy_url": PROXIED, "width": 2, "height": 1}


UNFURLED = {"embeds": [{"type": "image", "thumbnail": THUMBNAIL}]}


async def test_a_link_s_picture_is_waited_for(client: DiscordClient, wire: Wire, bot: Listener) -> None:
    message = message_payload("1", ANN, LINK)
    await wire.dispatch("MESSAGE_CREATE", message)
    await wire.dispatch("MESSAGE_UPDATE", message | UNFURLED)
    incoming = (await bot.hears()).incoming
    assert (incoming.text, incoming.edited) == (LINK, False)
    assert bot.heard[0].pictures == (b"goose",)
    await wire.dispatch("MESSAGE_CREATE", message_payload("2", ANN, "next"))
    assert (await bot.hears(2)).incoming.text == "next"  # and the update was no question of its own


async def test_a_link_without_a_picture_holds_up_nothing_for_long(
    client: DiscordClient, wire: Wire, bot: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_link_previews", LinkPreviews(patience=0.05))
    await wire.dispatch("MESSAGE_CREATE", message_payload("1", ANN, LINK))
    assert (await bot.hears()).incoming.attachments == ()
    assert PATIENCE_SECONDS == 2.0


async def test_a_change_does_not_overtake_its_message(client: DiscordClient, wire: Wire, bot: Listener) -> None:
    message = message_payload("1", ANN, LINK)
    await wire.dispatch("MESSAGE_CREATE", message)
    await wire.dispatch("MESSAGE_UPDATE", message | {"content": "what is it?", "edited_timestamp": "2026-01-01T00:00:01+00:00"})
    await wire.dispatch("MESSAGE_UPDATE", message | UNFURLED)
    await bot.hears(2)
    assert [(heard.incoming.text, heard.incoming.edited) for heard in bot.heard] == [(LINK, False), ("what is it?", True)]
