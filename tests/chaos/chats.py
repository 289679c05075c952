"""The chats of a crash test, which outlive the bot: people ask there, and what they see in the end is counted."""

from __future__ import annotations

import asyncio
import random
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web
from simcord.backend.models import Message, User

from tests.adapters.strict.discord.api import DiscordApi, Failure, answer
from tests.adapters.strict.discord.world import World as DiscordWorld
from tests.adapters.strict.discord.world import buttons
from tests.adapters.strict.telegram.refusals import ApiError, Cut
from tests.adapters.strict.telegram.server import BotApi
from tests.adapters.strict.telegram.world import ANN, BOB, ME, Json
from tests.adapters.web.browserless import Visitor

WHOLE = re.compile(r"Answer (\d+) to q(\d+): how many geese\? with a few words more that make it take a little while")
DEAF = 0.3  # the share of sends that are carried out without a reply, while a platform does that


@dataclass(frozen=True)
class Final:
    """A whole answer that people see. `order`: how many answers its branch held with it."""

    question: int
    order: int


class Chat(ABC):
    """One place where people ask; each place is one branch, since nobody replies to an older message."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[int] = []  # questions, by number, in the order in which they were asked

    async def ask(self, number: int, draw: random.Random) -> None:
        self.asked.append(number)
        await self.say(f"q{number}: how many geese?", draw)

    @abstractmethod
    async def say(self, text: str, draw: random.Random) -> None:
        """Somebody asks."""

    @abstractmethod
    async def texts(self) -> list[str]:
        """What the bot has said here, as people see it now."""

    @abstractmethod
    def growing(self) -> int:
        """The messages that look as if an answer was being made: each has a Stop button, or no words yet."""

    @abstractmethod
    async def press_again(self, draw: random.Random) -> bool:
        """Whoever asked presses Again below one of the answers; whether there was one."""

    async def finals(self) -> list[Final]:
        found = (WHOLE.search(text) for text in await self.texts())
        return [Final(int(match[2]), int(match[1])) for match in found if match]


@dataclass
class FaultyBotApi(BotApi):
    """Telegram, which for a while is down or doesn't answer what it does."""

    down: bool = False
    deaf: bool = False
    draw: random.Random = field(default_factory=random.Random)
    record: list[str] = field(default_factory=list)  # of what the bot sent, edited and deleted

    async def answer(self, method: str, params: Json) -> Any:
        if self.down:
            raise ApiError("Bad Gateway", 502)
        result = await super().answer(method, params)
        cut = self.deaf and method.startswith("send") and self.draw.random() < DEAF
        if method.startswith(("send", "edit", "delete")):
            told = result.get("message_id") if isinstance(result, dict) else result
            note(self.record, method, params.get("chat_id"), params.get("message_id"), params.get("text"), "gave", told, "unheard" * cut)
        if cut:
            raise Cut
        return result


@dataclass
class FaultyDiscordApi(DiscordApi):
    """Discord, the same."""

    down: bool = False
    deaf: bool = False
    draw: random.Random = field(default_factory=random.Random)
    record: list[str] = field(default_factory=list)  # of what the bot sent, edited and deleted

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.down and not request.path.startswith("/gateway"):
            return answer({"message": "Bad Gateway", "code": 0}, 502)
        cut = self.deaf and request.method == "POST" and request.path.endswith("/messages") and self.draw.random() < DEAF
        if cut:
            self.fail("POST", request.path.removeprefix("/api/v10"), Failure(done=True, cut=True))
        response = await super().handle(request)
        if request.method != "GET" and "/messages" in request.path and isinstance(response, web.Response):
            note(self.record, request.method, request.path, "gave", response.status, response.text, "unheard" * cut)
        return response


def note(record: list[str], *what: object) -> None:
    record.append(" ".join([datetime.now(UTC).isoformat(timespec="milliseconds"), *map(str, what)]))


class TelegramChat(Chat):
    """A private chat, or a group."""

    def __init__(self, api: FaultyBotApi, *, private: bool) -> None:
        super().__init__(f"Telegram {'private' if private else 'group'}")
        self._api, self._private = api, private
        self._chat = api.world.private(ANN) if private else api.world.group()

    async def say(self, text: str, draw: random.Random) -> None:
        person = ANN if self._private else draw.choice([ANN, BOB])
        await self._api.world.say(self._chat, text if self._private else f"@gander_bot {text}", by=person)

    async def texts(self) -> list[str]:
        return [each["text"] for each in self._said()]

    def growing(self) -> int:
        return sum(each["text"] == "…" or any("/stop" in data for data in presses(each)) for each in self._said())

    async def press_again(self, draw: random.Random) -> bool:
        ready = [(each, data) for each in self._said() for data in presses(each) if data.startswith("/again")]
        if ready:
            message, data = draw.choice(ready)
            person = message["reply_to_message"]["from"] if "reply_to_message" in message else ANN
            await self._api.world.press(self._chat, message["message_id"], data, by=person)
        return bool(ready)

    def _said(self) -> list[Json]:
        return [each for (chat, _), each in self._api.world.messages.items() if chat == self._chat and each["from"] == ME]


def presses(message: Json) -> Iterator[str]:
    """What the buttons of a message stand for."""
    for row in (message.get("reply_markup") or {}).get("inline_keyboard", []):
        yield from (str(button["callback_data"]) for button in row)


class DiscordChat(Chat):
    """A channel where Ann and Bob mention the bot."""

    def __init__(self, world: DiscordWorld) -> None:
        super().__init__("Discord channel")
        self._world = world
        self._askers: dict[int, User] = {}  # by question

    async def say(self, text: str, draw: random.Random) -> None:
        person = self._askers[self.asked[-1]] = draw.choice([self._world.ann, self._world.bob])
        self._world.asks(text, by=person)

    async def texts(self) -> list[str]:
        return [each.content for each in self._world.said()]

    def growing(self) -> int:
        return sum(each.content == "…" or any("stop" in str(one.get("custom_id")) for one in buttons(each)) for each in self._world.said())

    async def press_again(self, draw: random.Random) -> bool:
        ready = [(each, match) for each in self._world.said() if (match := WHOLE.search(each.content)) and again(each)]
        if ready:
            message, match = draw.choice(ready)
            self._world.presses(message, "Again", by=self._askers[int(match[2])])
        return bool(ready)


def again(message: Message) -> bool:
    return any("Again" in str(each.get("label")) for each in buttons(message))


class PageChat(Chat):
    """The web page: whoever asks sends the same question again until the bot says that it has it."""

    def __init__(self, url: str) -> None:
        super().__init__("web page")
        self._url = url
        self._visitor: Visitor | None = None
        self._shown: list[Json] = []
        self._last = ""  # the answer that the next question follows
        self._sending = asyncio.Lock()

    async def close(self) -> None:
        if self._visitor is not None:
            await self._visitor.http.close()

    async def say(self, text: str, draw: random.Random) -> None:
        async with self._sending:
            name = secrets.token_hex(12)
            while not await self._sent(text, name):  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0.2)

    async def _sent(self, text: str, name: str) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError, ValueError, LookupError):
            async with asyncio.timeout(15):
                visitor = await self._person()
                follows: dict[str, Any] = {"parent": self._last} if self._last else {}
                response = await visitor.ask(text, id=name, **follows)
                if response.status == 200:
                    self._last = [each["id"] for each in (await response.json())["messages"] if each["role"] == "bot"][-1]
                    return True
        return False

    async def _person(self) -> Visitor:
        """Who asks, known since the page was open for the first time."""
        if self._visitor is None:
            visitor = Visitor(self._url)
            try:
                await visitor.session()
            except BaseException:
                await visitor.http.close()
                raise
            self._visitor = visitor
        return self._visitor

    async def texts(self) -> list[str]:
        with suppress(aiohttp.ClientError, TimeoutError, ValueError):
            async with asyncio.timeout(15):
                told = await (await self._person()).get("/api/messages")
                self._shown = [each for each in told["messages"] if each["role"] == "bot"]
        return [each["text"] for each in self._shown if each["final"]]

    def growing(self) -> int:
        return sum(not each["final"] for each in self._shown)

    async def press_again(self, draw: random.Random) -> bool:
        ready = [each for each in self._shown if "again" in each["buttons"]]
        if ready:
            await (await self._person()).press("again", draw.choice(ready)["answer"])
        return bool(ready)
