"""Conversations as people expect them, in a real browser: addresses, titles, search, export, deletion, other versions of a question."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from zipfile import ZipFile

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.adapters.web.whole import Visit, served, started, visiting
from tests.bot.rig import ScriptedEngine, asked

pytestmark = pytest.mark.asyncio(loop_scope="session")

CONVERSATION = re.compile(r"/c/[0-9a-f]{16}$")
MANY = 55  # more than one look at the list shows
ASK_MANY = """async (count) => {
    const id = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    for (let number = 1; number <= count; number += 1) {
        const form = new FormData();
        form.set("message", JSON.stringify({ id: id(), text: `Question ${number}` }));
        await fetch("/api/messages", { method: "POST", body: form });
    }
}"""


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = ScriptedEngine(lambda request: ("You asked: ", asked(request)))
    engine.gate.set()
    return engine


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> AsyncIterator[Visit]:
    async with served(tmp_path, engine) as url, visiting(browser, url) as visit:
        yield visit


async def two_conversations(visit: Visit) -> None:
    await visit.ask_and_wait("First", 1)
    await visit.page.get_by_role("button", name="New conversation").click()
    await visit.ask_and_wait("Second", 1)
    await expect(visit.page.locator("#conversations .title")).to_have_text(["Second", "First"])


async def test_each_has_an_address_that_back_reload_and_another_tab_know(visit: Visit) -> None:
    page = visit.page
    await two_conversations(visit)
    await expect(page).to_have_url(CONVERSATION)
    second = page.url
    await page.locator("#conversations .title", has_text="First").click()
    await expect(visit.answers).to_have_text(["You asked: First"])
    first = page.url
    assert first != second
    await page.go_back()
    await expect(visit.answers).to_have_text(["You asked: Second"])
    await page.go_forward()
    await page.reload()
    await expect(visit.answers).to_have_text(["You asked: First"])
    other = Visit(await page.context.new_page())
    await other.page.goto(second)
    await expect(other.answers).to_have_text(["You asked: Second"])
    await other.page.goto(f"{second[:-16]}{'0' * 16}")
    await expect(other.page.get_by_text("That conversation isn't here")).to_be_visible()


async def test_a_title_is_given_and_its_words_are_found(visit: Visit) -> None:
    page = visit.page
    await two_conversations(visit)
    await page.get_by_role("button", name="Rename").click()
    await page.get_by_label("Title").fill("Geese *and* ducks")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#conversations .title")).to_have_text(["Geese *and* ducks", "First"])
    await expect(page).to_have_title("Geese *and* ducks · Gander")
    await page.get_by_role("searchbox").fill("asked: first")
    await expect(page.locator("#conversations .title")).to_have_text(["First"])
    await page.get_by_role("searchbox").fill("no such words")
    await expect(page.locator("#conversations")).to_have_text("Nothing found.")
    await page.get_by_role("searchbox").fill("")
    await expect(page.locator("#conversations .title")).to_have_count(2)


async def test_one_is_deleted_after_a_question_and_everywhere(visit: Visit) -> None:
    page = visit.page
    await two_conversations(visit)
    other = Visit(await page.context.new_page())
    await other.page.goto(page.url)
    await expect(other.answers).to_have_text(["You asked: Second"])
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("“Second” goes with all its answers")).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(visit.answers).to_have_text(["You asked: Second"])
    await page.get_by_role("button", name="Delete").click()
    await page.locator("#deleting").get_by_role("button", name="Delete").click()
    for each in (page, other.page):
        await expect(each.locator("#conversations .title")).to_have_text(["First"])
        await expect(each.locator("#welcome")).to_be_visible()


async def test_one_is_taken_along(visit: Visit, tmp_path: Path) -> None:
    await visit.add_picture()
    await visit.ask_and_wait("What is this?", 1)
    async with visit.page.expect_download() as downloading:
        await visit.page.get_by_role("link", name="Export").click()
    path = tmp_path / "taken.zip"
    await (await downloading.value).save_as(path)
    with ZipFile(path) as archive:
        assert "What is this?" in archive.read("conversation.md").decode()
        assert len(archive.namelist()) == 3


@pytest.mark.parametrize("number", [0, 1])
async def test_a_question_is_asked_otherwise_beside_itself(visit: Visit, engine: ScriptedEngine, number: int) -> None:
    page = visit.page
    await visit.add_picture()
    await visit.ask_and_wait("How many geese?", 1)
    await visit.ask_and_wait("Sure?", 2)
    question = page.locator(".message.person").nth(number)
    await question.hover()
    await question.get_by_role("button", name="Ask this otherwise").click()
    await expect(page.locator("#pictures img")).to_have_count(1 - number)
    await expect(visit.question).to_have_value(["How many geese?", "Sure?"][number])
    await visit.ask_and_wait("How many ducks?", 1 + number)
    await expect(page.get_by_label("Version 2 of 2")).to_be_visible()
    await expect(page.locator("#conversations .title")).to_have_count(1)
    assert asked(engine.requests[-1]) == "How many ducks?"
    await page.get_by_role("button", name="Previous version").click()
    await expect(page.locator(".message.person .text")).to_have_text(["How many geese?", "Sure?"])
    await page.reload()
    await started(page)
    await expect(page.locator(".message.person .text")).to_have_text(["How many geese?", "Sure?"])


async def test_what_is_being_written_is_not_lost_to_an_edit(visit: Visit) -> None:
    await visit.ask_and_wait("How many geese?", 1)
    await visit.question.fill("A long thought")
    await visit.page.locator(".message.person").hover()
    await visit.page.get_by_role("button", name="Ask this otherwise").click()
    await expect(visit.page.get_by_text("Send or remove what you are writing first.")).to_be_visible()
    await expect(visit.question).to_have_value("A long thought")


async def test_older_ones_are_shown_and_opened_with_their_first_question(visit: Visit) -> None:
    page = visit.page
    await page.evaluate(ASK_MANY, MANY)
    await page.goto(page.url.partition("/c/")[0])
    titles = page.locator("#conversations .title")
    await expect(titles.first).to_have_text(f"Question {MANY}")
    await expect(titles).to_have_count(50)
    await page.get_by_role("button", name="Show older ones").click()
    await expect(titles).to_have_count(MANY)
    await expect(page.get_by_role("button", name="Show older ones")).to_be_hidden()
    await titles.last.click()
    await expect(visit.answers).to_have_text(["You asked: Question 1"])
