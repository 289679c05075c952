"""Nothing that was typed, chosen or pasted is lost in silence: in a real browser, with a whole bot behind the page."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from adapters.web.forms import CHARACTERS
from bot.config.schema import Config
from tests.adapters.web.profiles import new_profile
from tests.adapters.web.whole import Visit, config, drawing, drawn, served, started, visiting
from tests.bot.rig import ScriptedEngine, asked

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASTE = """([target, text, names]) => {
    const data = new DataTransfer();
    if (text) data.setData('text/plain', text);
    const bytes = Uint8Array.from(atob('PICTURE'), (letter) => letter.charCodeAt(0));
    for (const name of names) data.items.add(new File([bytes], name, { type: 'image/png' }));
    const event = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
    document.querySelector(target).dispatchEvent(event);
    return event.defaultPrevented;
}""".replace("PICTURE", base64.b64encode(drawing()).decode())
STORED = """(key) => new Promise((resolve) => {
    const opening = indexedDB.open('gander', 1);
    opening.onsuccess = () => {
        const found = opening.result.transaction('pictures').objectStore('pictures').get(key);
        found.onsuccess = () => { opening.result.close(); resolve((found.result ?? []).length); };
    };
})"""


async def kept(page: Page, key: str, count: int) -> None:
    """The browser has written so many pictures down."""
    await page.wait_for_function(f"async (key) => await ({STORED})(key) === {count}", arg=key, polling=100)


async def open_conversation(visit: Visit, title: str) -> None:
    await visit.page.locator("#conversations [data-entry]", has_text=title).click()


async def test_each_conversation_has_its_own_draft_over_a_reload(visit: Visit) -> None:
    page, previews = visit.page, visit.page.locator("#pictures img")
    await visit.ask_and_wait("First", 1)
    await visit.question.fill("to the first")
    await visit.add_picture("first.png")
    await page.get_by_role("button", name="New conversation").click()
    await expect(visit.question).to_have_value("")
    await expect(previews).to_have_count(0)
    await visit.question.fill("to nobody yet")
    await visit.add_picture("new.png")
    await visit.add_picture("newer.png")
    root = await page.locator("#conversations [data-entry]").get_attribute("data-entry") or ""
    await kept(page, root, 1)
    await kept(page, "", 2)
    await page.reload()
    await started(page)
    await expect(visit.question).to_have_value("to nobody yet")
    await expect(previews).to_have_count(2)
    await open_conversation(visit, "First")
    await expect(visit.question).to_have_value("to the first")
    await expect(page.get_by_alt_text("first.png")).to_be_visible()
    await page.reload()
    await started(page)
    await expect(visit.question).to_have_value("to the first")
    await page.get_by_role("button", name="Send").click()
    await visit.finished(2)
    await expect(visit.answers.last).to_have_text("You asked: to the first")
    await expect(visit.question).to_have_value("")
    await kept(page, root, 0)
    await page.reload()
    await started(page)
    await expect(visit.question).to_have_value("")
    await expect(previews).to_have_count(0)


async def test_what_a_draft_goes_on_from_is_its_own_too(visit: Visit) -> None:
    await visit.ask_and_wait("First", 1)
    await visit.page.locator(".message.bot").hover()
    await visit.page.get_by_role("button", name="Continue from here").last.click()
    await expect(visit.page.locator("#replying")).to_contain_text("You asked: First")
    await visit.page.get_by_role("button", name="New conversation").click()
    await expect(visit.page.locator("#replying")).to_be_hidden()
    await open_conversation(visit, "First")
    await expect(visit.page.locator("#replying")).to_contain_text("You asked: First")


async def test_the_words_of_cells_are_pasted_and_their_picture_is_offered(visit: Visit) -> None:
    page = visit.page
    cells = "goose\t2\nduck\t3"
    assert await page.evaluate(PASTE, ["#question", cells, ["image.png"]]) is False  # the field takes the text, as it takes any
    assert await page.evaluate(PASTE, ["#thread", cells, ["image.png"]]) is True
    await expect(visit.question).to_have_value(cells)
    await expect(page.locator("#pictures img")).to_have_count(0)
    await page.get_by_role("button", name="Add the picture", exact=True).click()
    await expect(page.get_by_alt_text("image.png")).to_be_visible()
    await expect(page.locator("#offer")).to_be_hidden()
    await expect(visit.question).to_have_value(cells)


@pytest.mark.parametrize("text", ["", "goose.png", "file:///home/ann/Pictures/a%20goose.png\r\n", "C:\\Pictures\\goose.png"])
async def test_a_copied_file_is_a_picture_whatever_its_name_says(visit: Visit, text: str) -> None:
    name = "a goose.png" if "%20" in text else "goose.png"
    assert await visit.page.evaluate(PASTE, ["#question", text, [name]]) is True
    await expect(visit.page.get_by_alt_text(name)).to_be_visible()
    await expect(visit.question).to_have_value("")


async def test_a_question_that_is_too_long_is_counted_and_never_cut(visit: Visit, engine: ScriptedEngine) -> None:
    page, send = visit.page, visit.page.get_by_role("button", name="Send")
    await visit.question.fill("x" * (CHARACTERS // 2))
    await expect(page.locator("#length")).to_be_hidden()
    await visit.question.fill("x" * (CHARACTERS - 100))
    await expect(page.locator("#length")).to_have_text("15,900 of 16,000 characters")
    await visit.question.fill("🪿" * (CHARACTERS + 4_014))
    await expect(page.locator("#length")).to_contain_text("20,014 characters, 4,014 more than the 16,000")
    await expect(send).to_be_disabled()
    await visit.question.press("Enter")
    await page.reload()
    await started(page)
    assert len(await visit.question.input_value()) == CHARACTERS + 4_014  # a reload cuts nothing, either
    await expect(page.locator(".message")).to_have_count(0)
    await visit.question.fill("🪿" * CHARACTERS)
    await send.click()
    await visit.finished(1)
    assert asked(engine.requests[-1]) == "🪿" * CHARACTERS


async def test_a_file_too_large_is_refused_before_it_is_sent(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    options = config().model_copy(update={"media": Config.model_validate({"media": {"file_mib": 1}}).media})
    async with served(tmp_path, engine, options) as url, visiting(browser, url) as visit:
        await visit.add_file("huge.png", b"\x89PNG" + b"\0" * 1_200_000)
        await expect(visit.page.get_by_role("alert")).to_contain_text("“huge.png” is too large: 2 MB")
        await expect(visit.page.locator("#pictures img")).to_have_count(0)


async def test_each_file_that_is_not_taken_is_named(visit: Visit) -> None:
    files = [{"name": name, "mimeType": "text/plain", "buffer": b"words"} for name in ("one.txt", "two.txt")]
    await visit.page.locator("#file").set_input_files(files)  # type: ignore[arg-type]  # Playwright's own form
    await expect(visit.page.locator("#problem")).to_have_text(
        "“one.txt” is neither a picture nor a film.\n“two.txt” is neither a picture nor a film.", use_inner_text=True
    )


async def test_refused_uploads_pile_up_nowhere(visit: Visit) -> None:
    page = visit.page
    await visit.ask_and_wait("Before", 1)
    await page.get_by_role("button", name="New conversation").click()
    for _ in range(2):
        await visit.question.fill("What is this?")
        await visit.add_file("liar.png", b"no picture at all")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#problem")).to_contain_text("liar.png")
        await page.get_by_role("button", name="Remove liar.png").click()
    await expect(page.locator(".aside")).to_have_count(0)
    await expect(page.locator("#welcome")).to_be_visible()
    await open_conversation(visit, "Before")
    await expect(page.locator("#problem")).to_be_hidden()
    await page.get_by_role("button", name="New conversation").click()
    await expect(visit.question).to_have_value("What is this?")


async def test_what_commands_said_on_an_empty_page_stays_with_the_conversation_that_it_became(visit: Visit) -> None:
    page = visit.page
    await visit.ask("/temperature")
    await expect(page.locator(".aside")).to_have_count(1)
    await visit.ask_and_wait("A question", 1)
    await expect(page.locator(".aside")).to_have_count(1)
    await page.get_by_role("button", name="New conversation").click()
    await expect(page.locator(".aside")).to_have_count(0)


async def test_without_the_server_everything_stays_and_send_keeps_its_face(
    browser: Browser, tmp_path: Path, engine: ScriptedEngine
) -> None:
    async with new_profile(browser) as page:
        async with served(tmp_path, engine) as url:
            port = int(url.rpartition(":")[2])
            await page.goto(url)
            await started(page)
            visit = Visit(page)
            await expect(page.get_by_role("img", name="Ready")).to_be_visible()
        await expect(page.locator("#state")).to_have_class("dot offline")
        await expect(page.get_by_role("img", name="No connection to Gander")).to_be_visible()
        await visit.add_picture("goose.png")
        await visit.ask("Anyone?")
        await expect(page.locator("#problem")).to_contain_text("can't be reached")
        await visit.question.press_sequentially(" Hello")
        await page.locator("#send").click()
        await expect(page.locator("#problem")).to_contain_text("can't be reached")
        await expect(visit.question).to_have_value("Anyone? Hello")
        await expect(page.get_by_alt_text("goose.png")).to_be_visible()
        drawn = "button => { const icon = document.querySelector(button.querySelector('use').getAttribute('href')); return Boolean(icon); }"
        assert await page.locator("#send").evaluate(drawn)
        async with served(tmp_path, engine, config(port)):
            await expect(page.locator("#state")).to_have_class("dot ready")
            await page.locator("#send").click()
            await visit.finished(1)
            await expect(visit.answers).to_have_text("You asked: Anyone? Hello")


async def test_two_questions_that_can_not_be_sent_both_come_back(visit: Visit) -> None:
    async def fail(route: Route) -> None:
        await route.abort()

    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await visit.ask_and_wait("Before", 1)
    await visit.page.route("**/api/messages", hold)
    await visit.ask("First")
    await visit.ask("Second")
    await visit.question.fill("Third")
    await expect(visit.page.locator(".message.person")).to_have_count(3)
    await fail(held[0])
    await expect(visit.question).to_have_value("Third\nFirst\nSecond")
    await expect(visit.page.locator(".message.person")).to_have_count(1)


async def test_a_question_whose_reply_was_lost_is_asked_once(visit: Visit, engine: ScriptedEngine) -> None:
    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await visit.page.route("**/api/messages", lose)
    await visit.ask("Only once")
    await visit.finished(1)
    await expect(visit.question).to_have_value("")
    await expect(visit.page.locator(".message .text")).to_have_text(["Only once", "You asked: Only once"])
    await expect(visit.page.locator("#conversations [data-entry]")).to_have_count(1)
    assert len(engine.requests) == 1


async def test_pictures_that_a_command_has_no_use_for_come_back(visit: Visit) -> None:
    await visit.add_picture("goose.png")
    await visit.ask("/temperature 0.4")
    await expect(visit.page.locator(".aside")).to_contain_text("0.4")
    await expect(visit.page.get_by_alt_text("goose.png")).to_be_visible()
    await expect(visit.question).to_have_value("")


async def test_what_is_written_while_the_page_begins_is_asked(visit: Visit) -> None:
    """Of a conversation that is older than what the page begins with, and so is fetched by itself."""
    await visit.ask_and_wait("First", 1)
    address = visit.page.url
    await visit.page.locator("#new-conversation").click()
    await visit.ask_and_wait("Elsewhere", 1)
    await visit.page.goto(address)
    page, wanted, go_on = await visit.page.context.new_page(), asyncio.Event(), asyncio.Event()

    async def little(route: Route) -> None:
        await route.continue_(url=route.request.url.replace("limit=200", "limit=1"))

    async def late(route: Route) -> None:
        wanted.set()
        await go_on.wait()
        await route.continue_()

    await page.route("**/api/start*", little)
    await page.route("**/api/conversations/*", late)
    await page.goto(address)
    early = Visit(page)
    await drawn(page)
    await wanted.wait()
    await early.ask("Second, in a hurry")
    await early.add_picture("early.png")
    await expect(page.locator("#pictures img")).to_have_count(1)
    go_on.set()
    await visit.finished(2)
    await expect(visit.answers.last).to_have_text("You asked: Second, in a hurry")
    await expect(visit.page.locator(".message.person").last.locator("img")).to_have_count(1)
    await expect(early.question).to_have_value("")
