"""An answer grows on the page and disturbs nobody: what is selected, opened, focused or read further up stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from engine.api import ChatRequest, Chunk, ChunkChoice, Delta
from tests.adapters.web.whole import Visit, served, started, visiting
from tests.bot.rig import ScriptedEngine, asked

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEGINNING = "# A goose\n\nIt stands **on one leg** near\n\n| Part | Colour |\n|---|---|\n| beak | orange |\n\n- one\n- two\n\n"
SELECT = """() => {
    const texts = document.createTreeWalker(document.querySelector('.message.bot .text'), NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (texts.nextNode()) nodes.push(texts.currentNode);
    const last = nodes.findLast((node) => node.data.trim());
    getSelection().setBaseAndExtent(nodes[0], 0, last, last.length);
    return getSelection().toString();
}"""
SELECTED = "() => getSelection().toString()"
BELOW = "() => { const box = document.getElementById('thread'); return box.scrollHeight - box.scrollTop - box.clientHeight; }"
TOP = "() => document.getElementById('thread').scrollTop"


@dataclass
class GrowingEngine(ScriptedEngine):
    """Says what the test puts into `words`, until None."""

    words: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    async def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        self.requests.append(request)
        while (word := await self.words.get()) is not None:
            yield self._chunk(ChunkChoice(delta=Delta(content=word)))
        yield self._chunk(ChunkChoice(finish_reason="stop"))

    def say(self, *words: str | None) -> None:
        for word in words:
            self.words.put_nowait(word)


@pytest.fixture
def engine() -> GrowingEngine:
    return GrowingEngine(lambda request: (asked(request),))


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, tmp_path: Path, engine: GrowingEngine) -> AsyncIterator[Visit]:
    async with served(tmp_path, engine) as url, visiting(browser, url) as visit:
        yield visit


async def looked(page: Page) -> None:
    """The browser has drawn what there is."""
    await page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")


async def test_a_selection_survives_the_rest_of_the_answer(visit: Visit, engine: GrowingEngine) -> None:
    await visit.ask("Tell me something")
    engine.say(BEGINNING, "The last wo")
    await expect(visit.answers).to_contain_text("The last wo")
    selected = await visit.page.evaluate(SELECT)
    assert "on one leg" in selected
    for number in range(5):
        engine.say("rd grows", f" and grows {number}.\n\n", "```python\nprint(1)\n```\n\n", "The wo")
        await expect(visit.answers).to_contain_text(f"grows {number}.")
        assert await visit.page.evaluate(SELECTED) == selected
    engine.say(None)
    await visit.finished(1)
    await expect(visit.page.get_by_role("button", name="Again")).to_be_visible()
    assert await visit.page.evaluate(SELECTED) == selected


async def test_a_selection_survives_the_next_question_and_its_answer(visit: Visit, engine: GrowingEngine) -> None:
    engine.say(BEGINNING, None)
    await visit.ask_and_wait("Tell me something", 1)
    selected = await visit.page.evaluate(SELECT)
    other = Visit(await visit.page.context.new_page())
    await other.page.goto(visit.page.url)
    await started(other.page)
    engine.say("Another", " answer", None)
    await other.ask("And in another tab?")
    await expect(visit.answers).to_have_count(2)
    await visit.finished(2)
    assert await visit.page.evaluate(SELECTED) == selected


async def test_the_focus_stays_where_it_is_while_an_answer_grows(visit: Visit, engine: GrowingEngine) -> None:
    engine.say("First.", None)
    await visit.ask_and_wait("One", 1)
    await visit.ask("Two")
    conversation, copy = visit.page.locator("#conversations button").first, visit.page.locator('[data-action="copy"]').first
    for place in (conversation, copy):
        await place.focus()
        engine.say("Word. ")
        await expect(visit.answers.last).to_contain_text("Word." if place is conversation else "Word. Word.")
        await expect(place).to_be_focused()
    engine.say(None)
    await visit.finished(2)
    await expect(copy).to_be_focused()


async def test_code_and_formulas_are_drawn_though_their_libraries_come_late(visit: Visit, engine: GrowingEngine) -> None:
    await visit.ask("Tell me something")
    engine.say("```python\nimport goose\n```\n\n", "and \\(a^2\\)")
    await expect(visit.answers.locator("math")).to_be_visible()
    await expect(visit.answers.locator("code span").first).to_be_visible()
    engine.say(" too.", None)
    await visit.finished(1)
    await expect(visit.answers.locator("math")).to_be_visible()
    await expect(visit.answers.locator("code span").first).to_be_visible()


@pytest.mark.parametrize("pixels", [30, 100, 600])
async def test_a_reader_who_scrolled_up_is_never_pulled_back(visit: Visit, engine: GrowingEngine, pixels: int) -> None:
    page = visit.page
    await visit.ask("Tell me much")
    engine.say(*(f"Line {number}.\n\n" for number in range(60)))
    await expect(visit.answers).to_contain_text("Line 59.")
    await looked(page)
    assert await page.evaluate(BELOW) <= 1
    await page.locator("#thread").hover()
    await page.mouse.wheel(0, -pixels)
    await page.wait_for_function(f"() => ({BELOW})() >= {pixels - 1}")
    top = await page.evaluate(TOP)
    for number in range(60, 80):
        engine.say(f"Line {number}.\n\n")
    await expect(visit.answers).to_contain_text("Line 79.")
    engine.say(None)
    await visit.finished(1)
    await looked(page)
    assert await page.evaluate(TOP) == top
    await page.evaluate("() => document.getElementById('thread').focus()")
    await page.get_by_role("button", name="To the newest message").click()
    await looked(page)
    assert await page.evaluate(BELOW) <= 1
    await expect(page.locator("#to-end")).to_be_hidden()


async def test_who_reads_further_up_stays_there_when_the_history_is_looked_at_again(visit: Visit, engine: GrowingEngine) -> None:
    page = visit.page
    engine.say(*(f"Line {number}.\n\n" for number in range(80)), None)
    await visit.ask_and_wait("Tell me much", 1)
    await page.locator("#thread").hover()
    await page.mouse.wheel(0, -500)
    await page.wait_for_function(f"() => ({BELOW})() >= 499")
    top = await page.evaluate(TOP)
    await page.evaluate(SELECT)
    selected = await page.evaluate(SELECTED)
    async with page.expect_response("**/api/messages?*"):
        await page.evaluate("() => fetch('/api/conversations/0123456789abcdef', { method: 'DELETE' })")  # all pages look again
    await looked(page)
    assert await page.evaluate(TOP) == top
    assert await page.evaluate(SELECTED) == selected


async def test_a_whole_answer_fetches_nothing_more_than_its_events(visit: Visit, engine: GrowingEngine) -> None:
    loaded = "() => document.images.length >= 3 && [...document.images].every((image) => image.complete)"
    await visit.page.wait_for_function(loaded)  # the samples of a first visit
    asked_for: list[str] = []
    visit.page.on("request", lambda request: asked_for.append(request.url.partition("//")[2].partition("/")[2].partition("?")[0]))
    await visit.ask("Tell me something")
    for number in range(40):
        engine.say(f"Word {number}. ")
    engine.say(None)
    await visit.finished(1)
    await expect(visit.page.get_by_role("button", name="Again")).to_be_visible()
    assert asked_for.count("api/messages") == 1
    assert set(asked_for) <= {"api/messages", "api/conversations", "static/goose.svg"}  # with a new address browsers look for its icon
    assert asked_for.count("api/conversations") <= 3  # the list: of the question, of its answer, of the answer's end
