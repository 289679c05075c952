"""Two tabs of one person on a whole bot, in a real browser: whatever they do in whatever order, no message hides another."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect
from playwright.async_api import TimeoutError as Late

from tests.adapters.web.whole import Visit, started, visiting
from tests.bot.rig import ScriptedEngine

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS = 16
WAITS = re.compile("^(Waits for the answer above…|You are next.*)$")  # the second once the line has been looked at
SOON = 3_000  # milliseconds for a button that may be gone when it is pressed: the next step is as good
# Every message that somebody can bring on the screen: all conversations, and at every fork all versions, the deepest first.
WALK = """() => {
    const shown = () => [...document.querySelectorAll('#messages > .message')];
    const button = (item, way) => item.querySelector(`[data-action="${way}"]:enabled`);
    const seen = new Set();
    const leftmost = (from) => {
        for (let at = from; at < shown().length; at += 1) while (button(shown()[at], 'left')) button(shown()[at], 'left').click();
    };
    for (let n = 0; n < document.querySelectorAll('#conversations [data-entry]').length; n += 1) {
        document.querySelectorAll('#conversations [data-entry]')[n].click();
        for (leftmost(0); ; ) {
            for (const item of shown()) seen.add(item.dataset.id);
            const at = shown().findLastIndex((item) => button(item, 'right'));
            if (at < 0) break;
            button(shown()[at], 'right').click();
            leftmost(at + 1);
        }
    }
    return [...seen].sort();
}"""


async def stored(page: Page) -> list[dict[str, Any]]:
    told: dict[str, Any] = await page.evaluate("async () => (await fetch('/api/messages?limit=2000')).json()")
    found: list[dict[str, Any]] = told["messages"]
    return found


async def all_answered(page: Page, questions: int) -> list[dict[str, Any]]:
    """The history, once the server has so many questions and nothing is unfinished."""
    while True:
        messages = await stored(page)
        if sum(m["role"] == "person" for m in messages) >= questions and all(m["final"] for m in messages):
            return messages
        await page.wait_for_timeout(100)


@pytest.mark.parametrize("count", [2, 4])
async def test_questions_asked_in_a_row_follow_each_other(browser: Browser, url: str, engine: ScriptedEngine, count: int) -> None:
    engine.gate.clear()
    words = [f"Question {n}" for n in range(count)]
    async with visiting(browser, url) as visit:
        for word in words:
            await visit.ask(word)
        await expect(visit.page.locator(".message.person .text")).to_have_text(words)
        await expect(visit.page.locator(".message.bot .text").nth(1)).to_have_text(WAITS)
        engine.gate.set()
        await visit.finished(count)
        expected = [text for word in words for text in (word, f"You asked: {word}")]
        await expect(visit.page.locator(".message .text")).to_have_text(expected)
        await visit.page.reload()
        await expect(visit.page.locator(".message .text")).to_have_text(expected)
        await expect(visit.page.locator("#conversations [data-entry]")).to_have_count(1)
        assert len(engine.requests[-1].messages) == 2 * count - 1  # the last one was asked with all that was said before it


async def test_a_question_waits_for_one_whose_pictures_are_still_on_their_way(browser: Browser, url: str) -> None:
    async with visiting(browser, url) as visit:
        held: list[Route] = []

        async def hold(route: Route) -> None:
            if not held:
                held.append(route)
            else:
                await route.continue_()

        await visit.page.route("**/api/messages", hold)
        await visit.ask("First")
        await visit.ask("Second")
        await expect(visit.page.locator(".message.person .text")).to_have_text(["First", "Second"])
        assert [m["text"] for m in await stored(visit.page)] == []
        await held[0].continue_()
        await visit.finished(2)
        expected = ["First", "You asked: First", "Second", "You asked: Second"]
        await expect(visit.page.locator(".message .text")).to_have_text(expected)
        assert [m["text"] for m in await stored(visit.page)] == expected


async def test_stop_ends_the_answer_that_is_written_and_the_next_one_begins(browser: Browser, url: str, engine: ScriptedEngine) -> None:
    engine.gate.clear()
    async with visiting(browser, url) as visit:
        await visit.ask("First")
        await visit.ask("Second")
        await expect(visit.page.get_by_text(WAITS)).to_be_visible()
        await visit.page.get_by_role("button", name="Stop the answer").click()
        await visit.finished(1)
        await expect(visit.page.get_by_text(WAITS)).to_have_count(0)
        engine.gate.set()
        await visit.finished(2)
        await expect(visit.page.locator(".message .text")).to_have_text(["First", "Stopped.", "Second", "You asked: First\nSecond"])


async def test_go_on_from_here_with_an_answer_to_an_older_question_than_is_fetched(browser: Browser, url: str) -> None:
    async with visiting(browser, url) as visit:
        await visit.ask_and_wait("Old", 1)
        for n in range(30):
            await visit.ask_and_wait(f"New {n}", n + 2)
        first = visit.page.locator(".message.bot").first
        await first.hover()
        await first.get_by_role("button", name="Again").click()
        await expect(visit.page.get_by_label("Version 2 of 2")).to_be_visible()
        await visit.finished(1)
        assert await visit.page.evaluate(WALK) == sorted(m["id"] for m in await stored(visit.page))


class Tabs:
    """Two pages of one person, and what they do at random."""

    def __init__(self, pages: Sequence[Page], engine: ScriptedEngine, seed: int) -> None:
        self.pages = pages
        self.engine = engine
        self.dice = random.Random(seed)
        self.asked = 0

    async def step(self) -> None:
        page = self.dice.choice(self.pages)
        actions = (
            self.ask,
            self.ask,
            self.ask_twice,
            self.again,
            self.go_on_from,
            self.edit,
            self.stop,
            self.reload,
            self.version,
            self.other,
            self.hold,
        )
        with suppress(Late):
            await self.dice.choice(actions)(page)

    async def ask(self, page: Page) -> None:
        self.asked += 1
        await page.locator("#question").fill(f"Question {self.asked}")
        await page.locator("#question").press("Enter")

    async def ask_twice(self, page: Page) -> None:
        await self.ask(page)
        await self.ask(page)

    async def again(self, page: Page) -> None:
        await self.press(page, "again")

    async def go_on_from(self, page: Page) -> None:
        await self.press(page, "reply")
        await self.ask(page)

    async def edit(self, page: Page) -> None:
        """A question of one's own, asked otherwise in a branch beside it."""
        await page.locator("#question").fill("")
        await self.press(page, "edit")
        await self.ask(page)

    async def version(self, page: Page) -> None:
        await self.press(page, self.dice.choice(("left", "right")))

    async def press(self, page: Page, action: str) -> None:
        buttons = page.locator(f'[data-action="{action}"]:enabled')
        if count := await buttons.count():
            await buttons.nth(self.dice.randrange(count)).dispatch_event("click", timeout=SOON)

    async def stop(self, page: Page) -> None:
        await page.keyboard.press("Escape")

    async def reload(self, page: Page) -> None:
        """Not before the server has what was asked: a question on its way is the next test's."""
        while sum(m["role"] == "person" for m in await stored(page)) < self.asked:
            await page.wait_for_timeout(50)
        await page.reload()
        await started(page)

    async def other(self, page: Page) -> None:
        buttons = page.locator("#conversations [data-entry], #new-conversation")
        await buttons.nth(self.dice.randrange(await buttons.count())).click(timeout=SOON)

    async def hold(self, page: Page) -> None:
        """The engine stops in the middle of its words, or goes on."""
        if self.engine.gate.is_set():
            self.engine.gate.clear()
        else:
            self.engine.gate.set()


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(2, 12))])
async def test_no_message_hides_another(browser: Browser, url: str, engine: ScriptedEngine, seed: int) -> None:
    async with visiting(browser, url) as visit:
        second = await visit.page.context.new_page()
        await second.goto(url)
        await started(second)
        tabs = Tabs([visit.page, second], engine, seed)
        for _ in range(STEPS):
            await tabs.step()
        engine.gate.set()
        messages = await all_answered(visit.page, tabs.asked)
        assert sum(m["role"] == "person" for m in messages) == tabs.asked
        for page in tabs.pages:
            await expect(page.locator(".message.unfinished")).to_have_count(0)
            await reaches(page, messages)
            await page.reload()
            await reaches(page, messages)


async def reaches(page: Page, messages: Sequence[dict[str, Any]]) -> None:
    """Wait until a walk over the page finds all messages."""
    ids = ",".join(f'"{m}"' for m in sorted(m["id"] for m in messages))  # as JSON.stringify writes them
    await page.wait_for_function(f"(ids) => JSON.stringify(({WALK})()) === ids", arg=f"[{ids}]", polling=500)


async def test_another_version_that_is_asked_for_elsewhere_does_not_push_away_what_is_read(browser: Browser, url: str) -> None:
    async with visiting(browser, url) as visit:
        await visit.ask_and_wait("Read me", 1)
        other = Visit(await visit.page.context.new_page())
        await other.page.goto(url)
        shown = await visit.page.locator(".message.bot").get_attribute("data-id")
        await other.page.get_by_role("button", name="Again").click()
        await expect(other.page.get_by_label("Version 2 of 2")).to_be_visible()
        await expect(visit.page.get_by_label("Version 1 of 2")).to_be_visible()
        assert await visit.page.locator(".message.bot").get_attribute("data-id") == shown
