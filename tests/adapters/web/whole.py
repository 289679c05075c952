"""The page with a whole bot behind it: every part real but the engine, which says what the test tells it to."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from adapters.run import running
from adapters.services import open_services
from adapters.web import adapter
from bot.config.schema import Config
from tests.adapters.web.profiles import new_profile
from tests.bot.rig import UNHURRIED, ScriptedEngine

PHONE = {"width": 390, "height": 844}


def drawing(colour: str = "orange") -> bytes:
    """A small picture, as a file."""
    file = io.BytesIO()
    Image.new("RGB", (120, 90), colour).save(file, "PNG")
    return file.getvalue()


UNREAD = {"read_writing": False}  # tests/bot/reading/ reads: the child that does costs each test more than a second


def config(port: int = 0, password: str | None = None) -> Config:
    return Config.model_validate({"web": {"port": port, "password": password}, "limits": UNHURRIED.model_dump(), "media": UNREAD})


@asynccontextmanager
async def served(home: Path, engine: ScriptedEngine, options: Config | None = None) -> AsyncIterator[str]:
    """The page's address, while a bot on `home` serves it."""
    async with open_services(options or config(), home, [engine]) as services, running(services), adapter.page(services) as url:
        yield url


@dataclass(frozen=True)
class Visit:
    """One open page, with what a person does there."""

    page: Page

    @property
    def question(self) -> Locator:
        return self.page.locator("#question")

    @property
    def answers(self) -> Locator:
        return self.page.locator(".message.bot .text")

    async def ask(self, text: str) -> None:
        await self.question.fill(text)
        await self.question.press("Enter")

    async def ask_and_wait(self, text: str, answers: int) -> None:
        await self.ask(text)
        await self.finished(answers)

    async def finished(self, answers: int) -> None:
        await expect(self.page.locator(".message.bot:not(.unfinished)")).to_have_count(answers)

    async def add_file(self, name: str, content: bytes, kind: str = "image/png") -> None:
        await self.page.locator("#file").set_input_files(FilePayload(name=name, mimeType=kind, buffer=content))

    async def add_picture(self, name: str = "goose.png") -> None:
        await self.add_file(name, drawing())


@asynccontextmanager
async def visiting(browser: Browser, url: str, **options: object) -> AsyncIterator[Visit]:
    """A person's browser on the page. Fails when the page's script or its policy complains."""
    async with new_profile(browser, **options) as page:
        await page.goto(url)
        await started(page)
        yield Visit(page)


async def started(page: Page) -> None:
    """The script has drawn the page, a conversation and its draft with it."""
    await drawn(page)
    await expect(page.locator("#composer[aria-busy]")).to_have_count(0)


async def drawn(page: Page) -> None:
    """The script has drawn the page, though perhaps no conversation yet."""
    await expect(page.locator("#settings-summary, .login [data-text=sign-in]").first).not_to_be_empty()
