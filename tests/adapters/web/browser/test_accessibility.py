"""axe-core looks at every page of ours, at a projector's and a phone's size, light and dark, and finds nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.adapters.web.profiles import new_profile
from tests.adapters.web.room import PLACE, Room, watching
from tests.adapters.web.whole import PHONE, Visit, config, drawing, served, started, visiting
from tests.bot.rig import ScriptedEngine, echo

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROJECTOR = {"width": 1920, "height": 1080}
SCREENS = [
    pytest.param({"viewport": PROJECTOR, "color_scheme": "light"}, id="projector"),
    pytest.param({"viewport": PHONE, "color_scheme": "dark", "is_mobile": True, "has_touch": True}, id="phone"),
]


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    return engine


async def serious_faults(page: Page) -> list[str]:
    """What keeps somebody from using the page, each with where it is."""
    await page.evaluate("() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => null)))")
    found = (await Axe().run(page)).response["violations"]
    return [f"{fault['id']}: {node['target']}" for fault in found if fault["impact"] in {"serious", "critical"} for node in fault["nodes"]]


async def test_axe_would_find_a_fault(browser: Browser) -> None:
    async with new_profile(browser) as page:
        await page.set_content("<html lang=en><title>x</title><main><h1>x</h1><button></button></main>")
        assert any(fault.startswith("button-name") for fault in await serious_faults(page))


@pytest.mark.parametrize("screen", SCREENS)
async def test_the_wall_has_no_serious_fault(browser: Browser, stage: Room, engine: ScriptedEngine, screen: dict[str, object]) -> None:
    _, own = await stage.start()
    async with watching(browser, own, **screen) as page:
        await expect(page.get_by_text("Post a picture!")).to_be_visible()
        assert await serious_faults(page) == []
        await stage.present("/compare temperature:0.2,1.8 what is it?", drawing())
        message = await stage.sees("temperature 1.8")
        await stage.present(message.actions[0].command)
        await expect(page.locator("article.compared .votes").first).to_have_text("👍 1")
        engine.gate.clear()
        for number in range(engine.rows + 2):
            await stage.post(drawing(), f"Ann{number}")
        await expect(page.locator("#line li")).to_have_count(2)
        assert await serious_faults(page) == []
        engine.gate.set()


@pytest.mark.parametrize("screen", SCREENS)
async def test_the_page_has_no_serious_fault(browser: Browser, tmp_path: Path, engine: ScriptedEngine, screen: dict[str, object]) -> None:
    async with new_profile(browser, **screen) as page:
        async with served(tmp_path / "open", engine) as url:
            visit = Visit(page)
            await page.goto(url)
            await started(page)
            assert await serious_faults(page) == []
            await visit.add_picture()
            await visit.ask_and_wait("# What?\n\n| a | b |\n|-|-|\n| 1 | 2 |", 1)
            await visit.ask("/compare temperature:0.2,1.8 tell me a story")
            await visit.finished(2)
            await expect(page.locator(".commands button")).to_have_count(2)
            await visit.ask("/zoom")
            cells = page.locator(".picture-grid button")
            await expect(cells).to_have_count(9)
            await page.locator("#settings-button").click()
            assert await serious_faults(page) == []
            await page.keyboard.press("Escape")
            await cells.first.focus()
            for key in ("ArrowRight", "ArrowDown"):
                await page.keyboard.press(key)
            await expect(cells.nth(4)).to_be_focused()
            picture, middle = await page.locator(".picture-grid img").bounding_box(), await cells.nth(4).bounding_box()
            assert picture is not None
            assert middle is not None
            assert abs(picture["x"] + picture["width"] / 2 - middle["x"] - middle["width"] / 2) < 2
            assert abs(picture["y"] + picture["height"] / 2 - middle["y"] - middle["height"] / 2) < 2
            await page.keyboard.press("Enter")
            await visit.finished(3)
        async with served(tmp_path / "closed", engine, config(password="honk honk")) as url:
            await page.goto(url)
            await started(page)
            assert await serious_faults(page) == []


async def test_a_comparison_on_the_page_stands_in_columns_and_takes_votes(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    async with served(tmp_path, engine) as url, visiting(browser, url) as visit:
        page = visit.page
        await visit.ask("/compare temperature:0.2,1.8 tell me a story")
        await visit.finished(1)
        await expect(page.locator(".columns h3")).to_have_text(["temperature 0.2", "temperature 1.8"])
        await page.get_by_role("button", name="temperature 1.8").click()
        await expect(page.locator(".commands button").last).to_have_text("👍 temperature 1.8 · 1")
        await page.reload()
        await expect(page.locator(".columns h3")).to_have_count(2)
        await expect(page.locator(".commands button").last).to_have_text("👍 temperature 1.8 · 1")


async def test_a_demo_on_the_page_offers_sample_pictures_to_ask_about(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    async with served(tmp_path, engine) as url, visiting(browser, url) as visit:
        page = visit.page
        await visit.ask("/demo start")
        await expect(page.locator(".aside .enclosed")).to_have_count(3)
        assert await page.locator(".enclosed").first.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
        await page.get_by_role("button", name="How many circles are there?").click()
        await visit.finished(1)
        await expect(visit.answers).to_contain_text("How many circles are there?")
        await visit.ask("/demo export")
        await expect(page.locator(".aside a[download]")).to_have_count(2)


@pytest.mark.parametrize("screen", SCREENS)
async def test_an_export_is_a_page_of_its_own_without_a_serious_fault(browser: Browser, stage: Room, screen: dict[str, object]) -> None:
    await stage.start()
    await stage.post(drawing(), "Ann")
    await stage.present("/compare temperature:0.2,1.8 what is it?", drawing("blue"))
    message = await stage.sees("temperature 1.8")
    await stage.present(message.actions[1].command)
    demo = stage.services.bot.demos.running(PLACE)
    assert demo is not None
    file, _ = await stage.services.bot.demos.export(demo)
    async with new_profile(browser, **screen) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(file.as_uri())
        await expect(page.locator("article")).to_have_count(2)
        await expect(page.locator("h3")).to_have_text(["temperature 0.2", "temperature 1.8"])
        assert await page.locator("img").first.evaluate("image => image.naturalWidth") == 120
        assert await serious_faults(page) == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
