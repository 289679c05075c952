"""A room full of people in one channel of a chat in memory, with the page and its walls served beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from playwright.async_api import Browser, Page

from adapters.run import running
from adapters.services import Services, open_services
from adapters.web import adapter
from bot.config.schema import Config
from bot.message import Address, Author, Incoming, Place
from bot.platform import EditBudget, Limits, Outgoing
from tests.adapters.web.profiles import new_profile
from tests.adapters.web.whole import config
from tests.bot.rig import Chat, Lobby, ScriptedEngine, attachment

PLACE = Place("discord", "stage", server="club")
PRESENTER = Author("discord", "pat", "Pat", manages=True)


@dataclass
class Room:
    services: Services
    chat: Chat
    url: str
    ids: count[int] = field(default_factory=lambda: count(1))

    async def say(self, text: str, author: Author, address: Address, picture: bytes | None = None) -> None:
        command = self.services.parse(text)
        files = () if picture is None else (attachment(picture),)
        said = Incoming(f"m{next(self.ids)}", PLACE, author, Address.COMMAND if command else address, datetime.now(UTC), text, files)
        await self.services.bot.handle(replace(said, command=command, unseen=command is not None))

    async def post(self, picture: bytes, name: str) -> None:
        """Somebody posts a picture and says nothing to the bot."""
        await self.services.bot.handle(self.picture(f"m{next(self.ids)}", picture, name))

    def picture(self, name: str, picture: bytes, person: str, *, spoiler: bool = False) -> Incoming:
        """A picture that somebody posts without a word to the bot."""
        author = Author("discord", person.lower(), person)
        files = (attachment(picture, spoiler=spoiler),)
        return Incoming(name, PLACE, author, Address.OVERHEARD, datetime.now(UTC), "", files)

    async def present(self, command: str, picture: bytes | None = None) -> None:
        await self.say(command, PRESENTER, Address.COMMAND, picture)

    async def start(self, prompt: str = "What is this?") -> tuple[str, str]:
        """Begins a demo; the wall's address and the presenter's own."""
        await self.present(f"/demo start {prompt}")
        told = await self.sees("/wall/")
        wall, own = (line for line in told.text.splitlines() if line.startswith("http"))
        return wall, own

    async def sees(self, words: str, times: int = 1) -> Outgoing:
        """Wait until messages say this, for good; the newest."""

        def found() -> list[Outgoing]:
            return [message for message in self.chat.messages.values() if message.final and words in message.text]

        async with asyncio.timeout(90):
            while len(found()) < times:  # noqa: ASYNC110 - what is seen is in no one's hands to announce
                await asyncio.sleep(0.01)
        return found()[-1]


@asynccontextmanager
async def room(home: Path, engine: ScriptedEngine, options: Config | None = None) -> AsyncIterator[Room]:
    open_to_all = (options or config()).model_copy(update={"access": Config.model_validate({"access": {"everyone": True}}).access})
    async with open_services(open_to_all, home, [engine]) as services, running(services), adapter.page(services) as url:
        chat = Lobby(name="discord", limits=Limits(text=2_000, budget=EditBudget(1_000, 1.0)))
        services.bot.attach(chat)
        yield Room(services, chat, url)


@asynccontextmanager
async def watching(browser: Browser, wall: str, **options: object) -> AsyncIterator[Page]:
    """A browser on a wall. Fails when the page's script or its policy complains."""
    async with new_profile(browser, **options) as page:
        await page.goto(wall)
        yield page
