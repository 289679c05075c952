"""Browser profiles that have never seen the page. A first window costs a second of CPU, so a profile is cleared and lent again with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from playwright.async_api import Browser, BrowserContext, CDPSession, Page

DESKTOP = {"width": 1280, "height": 720}
ENGLISH = "en-GB"


@dataclass(frozen=True, eq=False)
class Profile:
    """`devtools` belongs to an empty page that keeps the window open."""

    context: BrowserContext
    empty: Page
    devtools: CDPSession

    @classmethod
    async def new(cls, browser: Browser, **options: object) -> Self:
        context = await browser.new_context(**options)  # type: ignore[arg-type]  # Playwright's own options
        empty = await context.new_page()
        return cls(context, empty, await context.new_cdp_session(empty))

    async def clear(self) -> None:
        """What sites keep in it goes, and its pages, with all that was set for them."""
        pages = [page for page in self.context.pages if page is not self.empty]
        origins = {f"{at.scheme}://{at.netloc}" for page in pages if (at := urlsplit(page.url)).netloc}
        for page in pages:
            await page.close()
        for origin in origins:  # the next server may get the same port
            await self.devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        await self.context.clear_cookies()
        await self.context.clear_permissions()


_idle: WeakKeyDictionary[Browser, dict[str, list[Profile]]] = WeakKeyDictionary()  # by what can't be changed in them


@asynccontextmanager
async def new_profile(browser: Browser, **options: object) -> AsyncIterator[Page]:
    """An empty page of a profile that knows nothing. `options`: as Playwright's `new_context` takes them; people are English.

    Fails when the page's script or its policy complains. A profile of a test that failed is not lent again.
    """
    fixed = {"locale": ENGLISH} | {name: value for name, value in options.items() if name not in {"viewport", "color_scheme"}}
    idle = _idle.setdefault(browser, {}).setdefault(json.dumps(fixed, sort_keys=True), [])
    profile = idle.pop() if idle else await Profile.new(browser, **fixed)
    complaints: list[str] = []
    page = await profile.context.new_page()
    await page.set_viewport_size(options.get("viewport", DESKTOP))  # type: ignore[arg-type]  # Playwright's own
    await page.emulate_media(color_scheme=options.get("color_scheme"))  # type: ignore[arg-type]
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    try:
        yield page
    except BaseException:
        await profile.context.close()
        raise
    await profile.clear()
    idle.append(profile)
    assert complaints == []
