"""The Telegram adapter does what every adapter must, in a private chat and in a group, over a real HTTP connection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.message import Address, Place
from bot.platform import Button
from tests.adapters.conformance import Conformance, Rig
from tests.adapters.strict.telegram import tdlib
from tests.adapters.strict.telegram.world import ME, Json
from tests.adapters.telegram.rig import Connected, connected


class TelegramRig(Rig):
    def __init__(self, telegram: Connected, chat: int, prefix: str = "") -> None:
        self.telegram = telegram
        self.platform = telegram.platform
        self.bot = telegram.bot
        self.chat = chat
        self.place = Place("telegram", str(chat), private=chat > 0)
        self.addressed = Address.MENTION if prefix else Address.PRIVATE
        self.prefix = prefix

    async def say(self, text: str, pictures: tuple[bytes, ...] = (), reply_to: str | None = None) -> None:
        world, words = self.telegram.world, f"{self.prefix}{text}"
        reply: dict[str, Json] = {"reply_to_message": world.messages[self.chat, int(reply_to)]} if reply_to else {}
        if len(pictures) > 1:
            await world.album(self.chat, list(pictures), words, **reply)
        else:
            shown: Json = {"photo": world.photo(pictures[0])} if pictures else {}
            await world.say(self.chat, words, **{**shown, **reply})

    async def press(self, message_id: str, button: Button, answer_id: int) -> None:
        markup = self.telegram.world.messages[self.chat, int(message_id)]["reply_markup"]
        data = next(each["callback_data"] for row in markup["inline_keyboard"] for each in row if button in each["callback_data"])
        await self.telegram.world.press(self.chat, int(message_id), data)

    async def shown(self) -> dict[str, str]:
        return {str(each["message_id"]): each["text"] for each in self._own()}

    async def pinged(self) -> list[str]:
        return [name for each in self._own() for name in tdlib.mentions(each["text"], each.get("entities", []))]

    def _own(self) -> list[Json]:
        return [each for (chat, _), each in self.telegram.world.messages.items() if chat == self.chat and each["from"] == ME]


class TestPrivateChat(Conformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        async with connected() as telegram:
            yield TelegramRig(telegram, telegram.world.private())


class TestGroup(Conformance):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[Rig]:
        async with connected() as telegram:
            yield TelegramRig(telegram, telegram.world.group(), prefix="@gander_bot ")
