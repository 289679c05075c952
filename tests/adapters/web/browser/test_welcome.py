"""What a first visit finds, in a real browser: samples, commands, the model by name, its notice once, colours, devices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from bot.config.schema import Config
from bot.demo.samples import SAMPLES
from bot.texts import load_texts
from engine.api import Health
from tests.adapters.web.whole import Visit, config, served, started, visiting
from tests.bot.rig import ScriptedEngine, asked, pictures

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXTS = load_texts()
LYING_PHONE = {"width": 844, "height": 390}
HEAD = ("#model", "#about", "#delete")
SIZES = [{"width": 390, "height": 844}, LYING_PHONE, {"width": 1280, "height": 800}, {"width": 1920, "height": 1080}]
NOTICE = (
    "A toy that knows colours, counts, shapes, positions and common animals. It knows no people and reads no text. Of several, the newest."
)
FOUR_TIMES = {"width": 320, "height": 225}  # what 1280 × 900 has at 400 %


class Toy(ScriptedEngine):
    """An engine with something to say of itself."""

    async def health(self) -> Health:
        return (await super().health()).model_copy(update={"model": "pocket", "notice": NOTICE})


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = Toy(lambda request: ("You asked: ", asked(request)))
    engine.gate.set()
    return engine


async def test_a_sample_is_taken_with_questions_that_suit_it(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.page.get_by_role("button", name="Try the sample “Some shapes”").click()
    await expect(visit.page.locator("#pictures img")).to_have_count(1)
    alts = await visit.page.locator("#samples img").evaluate_all("images => images.map((image) => image.alt)")
    assert alts == [TEXTS.render("en", f"sample.{name}.title") for name in SAMPLES]
    await visit.page.get_by_role("button", name="How many circles are there?").click()
    await visit.question.press("Enter")
    await visit.finished(1)
    await visit.page.get_by_role("button", name="Picture 1 of this message: enlarge").click()
    await expect(visit.page.locator("#viewer").get_by_role("img", name="Picture")).to_be_visible()
    await visit.page.keyboard.press("Escape")
    assert asked(engine.requests[-1]) == "How many circles are there?"


@pytest.mark.sweep
async def test_a_part_of_a_picture_is_drawn_by_dragging_and_by_keys(visit: Visit, engine: ScriptedEngine) -> None:
    """From corner to corner of the upper left quarter; then by the keys, a step to the right and less high."""
    await visit.page.get_by_role("button", name="Try the sample “Some shapes”").click()
    await visit.page.get_by_role("button", name="How many circles are there?").click()
    await visit.question.press("Enter")
    await visit.finished(1)
    picture, ask = visit.page.locator("#viewer-picture"), visit.page.get_by_role("button", name="Ask about this part")
    await visit.page.get_by_role("button", name="Picture 1 of this message: enlarge").click()
    await expect(picture).to_have_js_property("complete", True)
    box = await picture.bounding_box()
    assert box is not None
    await visit.page.mouse.move(box["x"], box["y"])
    await visit.page.mouse.down()
    await visit.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=2)
    await visit.page.mouse.up()
    await ask.click()
    assert re.fullmatch(r"/zoom 0,0,(50|49\.9|50\.1),(50|49\.9|50\.1) ", await visit.question.input_value())
    await visit.page.get_by_role("button", name="Picture 1 of this message: enlarge").click()
    await visit.page.locator("#viewer-frame").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp", "Enter"):
        await visit.page.keyboard.press(key)
    await expect(visit.question).to_have_value("/zoom 32.5,27.5,77.5,67.5 ")
    await visit.question.press_sequentially("What is here?")
    await visit.question.press("Enter")
    await visit.finished(2)
    assert asked(engine.requests[-1]).endswith("What is here?")
    assert pictures(engine.requests[-1]) == 2


async def test_commands_are_completed_while_they_are_typed(visit: Visit) -> None:
    options = visit.page.locator("#completions").get_by_role("option")
    await visit.question.press_sequentially("/")
    await expect(options.filter(has_text="/temperature")).to_be_visible()
    await expect(options.filter(has_text="/setup")).to_have_count(0)
    await visit.question.press_sequentially("te")
    await expect(options).to_have_count(1)
    await visit.question.press("Tab")
    await expect(visit.question).to_have_value("/temperature ")
    await expect(options).to_have_count(0)
    await visit.question.fill("/")
    await visit.question.press("Escape")
    await expect(options).to_have_count(0)
    await visit.question.fill("/help")
    await visit.question.press("Enter")
    await visit.question.fill("what is this?")
    await visit.page.locator(".aside").get_by_role("button", name="/compare", exact=True).click()  # what it names can be pressed
    await expect(visit.question).to_have_value("/compare what is this?")


async def test_the_first_screen_begins_at_its_top_and_its_head_is_one_line(visit: Visit) -> None:
    page = visit.page
    await expect(page.locator("#samples img")).to_have_count(len(SAMPLES))
    for size in SIZES:
        await page.set_viewport_size(size)  # type: ignore[arg-type]  # Playwright's own form
        await expect(page.locator("#notice")).to_be_visible()
        await expect(page.locator("#thread")).to_have_js_property("scrollTop", 0)
        await expect(page.locator("#welcome-add")).to_be_in_viewport(ratio=1)
        assert await page.locator("#model-name").evaluate("name => name.scrollWidth <= name.clientWidth")  # "Pocket model" is not cut off
        await visit.add_picture()  # the field grows, and takes room of the thread
        await expect(page.locator("#pictures img")).to_have_count(1)
        await expect(page.locator("#thread")).to_have_js_property("scrollTop", 0)
        await page.locator("#pictures button").click()
    await visit.ask_and_wait("Hello", 1)
    for name in HEAD:
        await expect(page.locator(name)).to_be_visible()
    for size in SIZES:
        await page.set_viewport_size(size)  # type: ignore[arg-type]  # Playwright's own form
        boxes = [await page.locator(name).bounding_box() for name in HEAD]
        assert all(box and box["height"] < 48 for box in boxes)
        middles = {round(box["y"] + box["height"] / 2) for box in boxes if box}
        assert max(middles) - min(middles) <= 2, size


async def test_the_model_has_a_name_and_its_notice_is_folded_after_the_first_answer(visit: Visit) -> None:
    notice = visit.page.locator("#notice")
    await expect(visit.page.locator("#model-name")).to_have_text("Pocket model")
    await expect(notice).to_have_text(NOTICE)
    await visit.ask_and_wait("Hello", 1)
    await visit.page.reload()
    await started(visit.page)
    await expect(visit.page.locator("#model-name")).to_have_text("Pocket model")
    await expect(notice).to_be_hidden()
    await visit.page.get_by_role("button", name="About it").click()
    await expect(notice).to_be_visible()


async def test_colours_can_be_chosen_and_are_kept(visit: Visit) -> None:
    paper = "() => getComputedStyle(document.documentElement).backgroundColor"
    await visit.page.get_by_label("Colours").select_option("dark")
    assert await visit.page.evaluate(paper) == "rgb(23, 23, 21)"
    await visit.page.reload()
    await started(visit.page)
    assert await visit.page.evaluate(paper) == "rgb(23, 23, 21)"
    await visit.page.get_by_label("Colours").select_option("light")
    assert await visit.page.evaluate(paper) == "rgb(247, 245, 240)"


@pytest.mark.parametrize("size", [LYING_PHONE, FOUR_TIMES])
async def test_every_setting_can_be_reached_where_there_is_little_room(browser: Browser, url: str, size: dict[str, int]) -> None:
    async with visiting(browser, url, viewport=size) as visit:
        await visit.page.locator("#settings-button").click()
        for control in ("#temperature", "#beams", "#settings-close"):
            await visit.page.locator(control).scroll_into_view_if_needed()
            await expect(visit.page.locator(control)).to_be_in_viewport(ratio=1)
        await visit.page.locator("#settings-close").click()
        await expect(visit.page.locator("#settings")).to_be_hidden()


async def test_it_can_be_installed_and_pretends_nothing(visit: Visit) -> None:
    manifest = await visit.page.evaluate("async () => (await fetch(document.querySelector('[rel=manifest]').href)).json()")
    assert manifest["display"] == "standalone"
    sizes = "async (src) => { const image = new Image(); image.src = src; await image.decode(); return image.naturalWidth; }"
    assert [await visit.page.evaluate(sizes, icon["src"]) for icon in manifest["icons"][:2]] == [192, 512]
    assert await visit.page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0


async def test_nobody_on_their_own_machine_is_told_to_slow_down(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    limits = {"burst": 1, "cooldown_seconds": 3600, "questions_per_person": 1}
    options = Config.model_validate({"web": {"port": 0}, "limits": limits})
    async with served(tmp_path, engine, options) as url, visiting(browser, url) as visit:
        for number in range(1, 4):
            await visit.ask_and_wait(f"Question {number}", number)


async def test_a_phone_is_told_of_no_mouse(browser: Browser, url: str) -> None:
    async with visiting(browser, url, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}) as visit:
        await expect(visit.page.get_by_text("Choose a picture")).to_be_visible()
        await expect(visit.page.get_by_text("Or drop one anywhere")).to_be_hidden()


async def test_signing_out_and_a_second_device(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    async with served(tmp_path, engine, config(password="honk")) as url, visiting(browser, url) as phone:
        await sign_in(phone, "honk")
        await phone.ask_and_wait("Do you remember?", 1)
        await phone.page.get_by_role("button", name="Use another device").click()
        await expect(phone.page.locator("#device-code")).not_to_be_empty()
        code = await phone.page.locator("#device-code").text_content() or ""
        async with visiting(browser, url) as laptop:
            await laptop.page.get_by_text("I have a code").click()
            await laptop.page.get_by_label("Code", exact=True).fill(code)
            await sign_in(laptop, "honk")
            await expect(laptop.answers).to_have_text(["You asked: Do you remember?"])
        await phone.page.get_by_role("button", name="Close").click()
        await phone.page.get_by_role("button", name="Sign out").click()
        await expect(phone.page.get_by_role("button", name="Sign in")).to_be_visible()


async def sign_in(visit: Visit, password: str) -> None:
    await visit.page.get_by_label("Password").fill(password)
    await visit.page.get_by_role("button", name="Sign in").click()
    await expect(visit.page.locator("#settings-summary")).not_to_be_empty()
