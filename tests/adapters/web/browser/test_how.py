"""The page of how an answer came about, from a disk in a real browser: a word lights up its place, by keyboard too, and axe is content."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bot.insight.how import How
from bot.insight.how_page import how_page
from bot.texts import load_texts
from tests.adapters.web.browser.test_accessibility import SCREENS, serious_faults
from tests.adapters.web.profiles import new_profile
from tests.bot.insight.explained import explained

pytestmark = pytest.mark.asyncio(loop_scope="session")
DARKNESS = """() => {
    const canvas = document.querySelector(".seen canvas"), pen = canvas.getContext("2d"), { width, height } = canvas;
    return [[0.1, 0.1], [0.9, 0.9]].map(([x, y]) => pen.getImageData(x * width, y * height, 1, 1).data[3]);
}"""


async def brightest_is_at(page: Page) -> str:
    upper_left, lower_right = await page.evaluate(DARKNESS)
    return "upper left" if upper_left < lower_right else "lower right"


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_word_lights_up_its_place(browser: Browser, tmp_path: Path, screen: dict[str, object]) -> None:
    file = tmp_path / "how.html"
    file.write_text(how_page(How("Is this a cat?", explained()), load_texts(), "en"), "utf-8")
    async with new_profile(browser, **screen) as page:
        await page.goto(file.as_uri())
        await expect(page.get_by_role("heading", name="“A”: 75 % likely")).to_be_visible()
        assert await brightest_is_at(page) == "upper left"
        await page.get_by_role("button", name="A", exact=True).focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_text("It looked mostly at the lower right.")).to_be_visible()
        assert await brightest_is_at(page) == "lower right"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await serious_faults(page) == []
