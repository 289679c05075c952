"""The web adapter does what every adapter must."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.web.hub import Hubs
from adapters.web.platform import WebPlatform, place_of
from adapters.web.security import COOKIE, Sessions
from bot.platform import Button
from tests.adapters.conformance import Conformance, Listener, Rig
from tests.adapters.web.browserless import Visitor, page_server


class WebRig(Rig):
    def __init__(self, visitor: Visitor, platform: WebPlatform, bot: Listener, person: str) -> None:
        self.visitor = visitor
        self.platform = platform
        self.bot = bot
        self.place = place_of(person)

    async def say(self, text: str, pictures: tuple[bytes, ...] = (), reply_to: str | None = None) -> None:
        response = await self.visitor.ask(text, pictures, parent=reply_to)
        assert response.status == 200

    async def press(self, message_id: str, button: Button, answer_id: int) -> None:
        assert (await self.visitor.press(button, answer_id)).status == 200

    async def shown(self) -> dict[str, str]:
        messages: dict[str, str] = {}
        for event in await self.visitor.states():
            if event["event"] == "message" and event["data"]["role"] == "bot":
                messages[event["data"]["id"]] = event["data"]["text"]
            elif event["event"] == "deleted":
                messages.pop(event["data"]["id"], None)
        return messages


class TestWeb(Conformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        hubs = Hubs()
        bot, platform = Listener(), WebPlatform(hubs)
        async with page_server(bot, platform, hubs) as url, Visitor(url) as visitor:
            token = next(cookie.value for cookie in visitor.http.cookie_jar if cookie.key == COOKIE)
            person = Sessions(None).person_of(token)
            assert person is not None
            yield WebRig(visitor, platform, bot, person)
