"""The wall in a real browser at a projector's and a phone's size, with a whole bot and a room of people behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from bot.message import Address, Author
from engine.api import ChatRequest
from engine.explanation import ExplainRequest
from tests.adapters.web.browser.test_accessibility import serious_faults
from tests.adapters.web.profiles import new_profile
from tests.adapters.web.room import PLACE, Room, room, watching
from tests.adapters.web.whole import PHONE, config, drawing
from tests.bot.insight.explained import explained
from tests.bot.rig import ScriptedEngine, Valve, asked

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROJECTOR = {"width": 1920, "height": 1080}
HOSTILE = "<img src=x onerror=alert(1)> **bold**"
LEGIBLE = 24  # pixels on a projector of 1080 lines


def reply(request: ChatRequest) -> Sequence[str]:
    setting = f" at {request.temperature}" if request.temperature is not None else ""
    return (f"{asked(request)}{setting}: ", *("a goose " for _ in range(12)))


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = ScriptedEngine(reply, explained=explained())
    engine.gate.set()
    return engine


async def scrolls(page: Page) -> bool:
    """Whether anything is out of sight that a hand would have to scroll to."""
    beyond = "() => document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth"
    return bool(await page.evaluate(beyond))


async def smallest_words(page: Page) -> float:
    """Of all that can be read on it now, in pixels."""
    sizes = """nodes => Math.min(...nodes
        .filter(node => node.checkVisibility() && [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()))
        .map(node => parseFloat(getComputedStyle(node).fontSize)))"""
    return float(await page.locator("body *").evaluate_all(sizes))


async def test_pictures_appear_and_their_answers_grow_while_others_wait_in_line(
    browser: Browser, stage: Room, engine: ScriptedEngine
) -> None:
    wall, _ = await stage.start("What is it?")
    async with watching(browser, wall, viewport=PROJECTOR) as page:
        await expect(page.get_by_text("Post a picture!")).to_be_visible()
        engine.gate.clear()
        for number in range(engine.rows + 3):
            await stage.post(drawing(), f"Ann{number}")
        await expect(page.locator("#stage article.answering")).to_be_visible()
        await expect(page.locator("#answering")).to_have_text(str(engine.rows))
        await expect(page.locator("#line li")).to_have_count(3)
        await expect(page.locator("#line .place")).to_have_text(["1", "2", "3"])
        await expect(page.locator("#also li")).to_have_count(3)
        await expect(page.locator("#stage .seen")).to_have_js_property("complete", value=True)
        await expect(page.locator("#stage .behind")).to_have_css("background-color", "rgb(255, 165, 0)")  # its rim's: no edge is seen
        assert not await scrolls(page)
        assert await smallest_words(page) >= LEGIBLE
        engine.gate.set()
        await expect(page.locator("#stage .words")).to_contain_text("a goose a goose")
        await expect(page.locator("#speed")).not_to_have_text("0")
        await expect(page.locator("#line li")).to_have_count(0)
        assert await smallest_words(page) >= LEGIBLE


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone_and_both_colour_schemes(browser: Browser, stage: Room, scheme: str) -> None:
    wall, _ = await stage.start()
    await stage.post(drawing(), "Ann")
    await stage.present("/compare temperature:0,0.4,0.8,1.2,1.6,2 what is it?", drawing("blue"))
    await stage.sees("temperature 2")
    async with watching(browser, wall, viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True) as page:
        await expect(page.locator("#stage article")).to_be_visible()
        assert not await scrolls(page)
        paper = await page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        assert (paper == "rgb(23, 23, 21)") == (scheme == "dark")
        for box in await page.locator(".words").all():
            assert await box.evaluate("box => box.scrollHeight <= box.clientHeight + 1")


async def test_a_comparison_stands_in_columns_with_the_votes_of_each(browser: Browser, stage: Room) -> None:
    wall, _ = await stage.start()
    async with watching(browser, wall, viewport=PROJECTOR) as page:
        await stage.present("/compare temperature:0.2,1.0,1.8 what is it?", drawing())
        message = await stage.sees("temperature 1.8")
        for voter, column in (("ann", 0), ("ben", 2), ("cy", 2)):
            await stage.say(message.actions[column].command, Author("discord", voter, voter), Address.COMMAND)
        await expect(page.locator("article.compared h3")).to_have_text(["temperature 0.2", "temperature 1", "temperature 1.8"])
        await expect(page.locator("article.compared .votes")).to_have_text(["👍 1", "👍 0", "👍 2"])
        await expect(page.locator("#liked .likes")).to_have_text(["👍 3"])
        boxes = [await box.bounding_box() for box in await page.locator("article.compared section").all()]
        tops = {round(box["y"]) for box in boxes if box}
        assert len(tops) == 1
        assert await smallest_words(page) >= LEGIBLE
        assert not await scrolls(page)


async def test_the_presenter_hides_with_one_click_and_nobody_else_can(browser: Browser, stage: Room) -> None:
    wall, own = await stage.start()
    await stage.post(drawing(), "Ann")
    await stage.sees("a goose")
    async with watching(browser, wall, viewport=PROJECTOR) as public, watching(browser, own, viewport=PROJECTOR) as mine:
        picture = await public.locator("#stage .seen").get_attribute("src")
        await expect(public.get_by_role("button", name="Hide this")).to_have_count(0)
        await expect(mine).to_have_url(wall)  # the key is hidden from whoever looks at the projector
        await mine.get_by_role("button", name="Hide this").click()
        await expect(public.get_by_text("Post a picture!")).to_be_visible()
        async with aiohttp.ClientSession(headers={"Origin": stage.url}) as http:
            assert (await http.get(f"{stage.url}{picture}")).status == 404
            forged = {"question": 1, "hidden": True, "key": "guessed"}
            assert (await http.post(f"{wall}/hidden", json=forged)).status == 403
            assert (await http.get(f"{stage.url}/wall/{'x' * 22}")).status == 404
            assert (await http.get(f"{wall}/export/guessed/x.html")).status == 403
            demo = stage.services.bot.demos.running(PLACE)
            assert demo is not None
            for file in await stage.services.bot.demos.export(demo):
                async with http.get(f"{wall}/export/{own.partition('#')[2]}/{file.name}") as response:
                    assert (response.status, response.headers["Content-Disposition"]) == (200, "attachment")
        await mine.get_by_role("button", name="Put it back").click()
        await expect(public.locator("#stage article")).to_be_visible()


async def test_it_comes_back_by_itself_after_a_restart(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    async with new_profile(browser) as page:
        async with room(tmp_path, engine) as stage:
            port = int(stage.url.rpartition(":")[2])
            wall, _ = await stage.start()
            await stage.post(drawing(), "Ann")
            await stage.sees("a goose")
            await page.goto(wall)
            await expect(page.locator("#stage article")).to_be_visible()
        await expect(page.locator("#offline")).to_be_visible()
        async with room(tmp_path, engine, config(port)) as stage:
            await expect(page.locator("#offline")).to_be_hidden(timeout=60_000)
            for number in range(100, 102):
                await stage.services.bot.handle(stage.picture(f"m{number}", drawing("red"), "Ben"))
            await expect(page.locator("#stage .by, #also li, #line li").first).to_be_visible()
            await expect(page.locator("#stage .by")).to_have_text("by Ben", timeout=60_000)


async def test_words_of_people_and_models_stay_words(browser: Browser, stage: Room, engine: ScriptedEngine) -> None:
    engine.reply = lambda _: (HOSTILE,)
    wall, _ = await stage.start(HOSTILE)
    await stage.post(drawing(), HOSTILE)
    async with watching(browser, wall, viewport=PROJECTOR) as page:
        await expect(page.locator("#stage .words")).to_have_text("<img src=x onerror=alert(1)> bold")
        await expect(page.locator("#stage .by")).to_contain_text("<img src=x")
        await expect(page.locator("#stage article .seen")).to_have_count(1)  # the picture, and itself out of focus


async def test_spoilers_are_not_for_the_wall(browser: Browser, stage: Room) -> None:
    wall, _ = await stage.start()
    await stage.services.bot.handle(stage.picture("s1", drawing(), "Ann", spoiler=True))
    await stage.post(drawing("blue"), "Ben")
    async with watching(browser, wall, viewport=PROJECTOR) as page:
        await expect(page.locator("#stage .by")).to_have_text("by Ben")
        await expect(page.locator("#stage article")).to_have_count(1)


async def test_a_wall_needs_its_code_and_not_the_page_s_password(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    options = config(password="honk honk")
    web = options.web.model_copy(update={"address": "https://gander.example/"})
    async with room(tmp_path, engine, options.model_copy(update={"web": web})) as stage:
        wall, own = await stage.start()
        assert wall.startswith("https://gander.example/wall/")
        assert own.startswith(f"{wall}#")
        async with watching(browser, wall.replace("https://gander.example", stage.url), viewport=PROJECTOR) as page:
            await expect(page.get_by_text("Post a picture!")).to_be_visible()


async def test_a_question_without_a_picture_has_no_empty_box_in_its_place(browser: Browser, stage: Room, engine: ScriptedEngine) -> None:
    wall, _ = await stage.start()
    engine.gate.clear()
    async with watching(browser, wall) as page:
        for number in range(3):  # each goes on from the one before, and waits for it
            await stage.say(f"What is a goose, {number}?", Author("discord", f"bob{number}", f"Bob {number}"), Address.MENTION)
        await expect(page.locator("#line li.wordless")).to_have_count(2)
        await expect(page.locator("#side img, #line img")).to_have_count(0)
        engine.gate.set()


async def test_a_presenter_shows_where_an_answer_looks_while_it_grows(browser: Browser, stage: Room, engine: ScriptedEngine) -> None:
    """The switch is the presenter's alone, and every wall follows it."""
    wall, own = await stage.start()
    engine.gate = valve = Valve(3)
    async with watching(browser, own, viewport=PROJECTOR) as page, aiohttp.ClientSession() as http:
        await stage.post(drawing(), "Ann")
        await expect(page.locator("#stage article.answering .words")).to_contain_text("a goose a goose")
        switch, maps = page.get_by_role("button", name="Where it looked"), page.locator("#stage img.seen[data-words]")
        await switch.click()
        await expect(switch).to_have_attribute("aria-pressed", "true")
        await expect(page.get_by_alt_text("Where each word of the answer looked on Ann's picture")).to_be_visible()
        await expect(page.locator("#stage article.answering")).to_have_count(1)
        assert not await scrolls(page)
        assert await serious_faults(page) == []
        assert "“A” looked mostly at the upper left." in (await maps.get_attribute("alt") or "")
        first = await maps.get_attribute("data-words")
        async with http.get(f"{stage.url}{first}") as growing:
            assert (growing.status, growing.headers["Cache-Control"]) == (200, "no-store")
        valve.let(4)
        await expect(maps).not_to_have_attribute("data-words", first or "")
        explained = [request.answer for request in engine.requests if isinstance(request, ExplainRequest)]
        assert explained[0].count("goose") == 2
        assert explained[-1].count("goose") > 2
        valve.set()
        await expect(page.locator("#stage article.done")).to_be_visible()
        await expect(maps).to_have_attribute("data-words", re.compile(r"/maps/\d+$"))
        await switch.click()
        await expect(page.get_by_alt_text("A picture by Ann")).to_be_visible()
        async with http.post(f"{wall}/maps", json={"maps": True, "key": "guessed"}, headers={"Origin": stage.url}) as forged:
            assert forged.status == 403
