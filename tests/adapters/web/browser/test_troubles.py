"""The page when something is not as it should be: no server, no session, values that are not allowed any more, odd answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from playwright.async_api import Page, Route, expect

from engine.api import ChatRequest
from tests.adapters.web.whole import Visit, drawing, started
from tests.bot.rig import ScriptedEngine, asked

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEEP = 20_000  # signs in a row, more than a browser's stack holds of blocks within blocks


def reply(request: ChatRequest) -> Sequence[str]:
    return [f"Line {number}.\n\n" for number in range(60)] if asked(request) == "Much?" else ["You asked: ", asked(request)]


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = ScriptedEngine(reply)
    engine.gate.set()
    return engine


async def below_the_end(page: Page) -> float:
    """Pixels of the conversation that lie below what is seen of it."""
    measure = "() => { const box = document.getElementById('thread'); return box.scrollHeight - box.scrollTop - box.clientHeight; }"
    return float(await page.evaluate(measure))


async def test_a_slider_that_was_moved_further_than_is_allowed_now_goes_as_far_as_it_may(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.page.evaluate("() => localStorage.setItem('gander.settings', JSON.stringify({ beams: 10, temperature: 0.4, mirrors: 2 }))")
    await visit.page.reload()
    await started(visit.page)
    await expect(visit.page.locator("#settings-summary")).to_have_text("Temperature 0.4, 5 beams")
    await visit.ask_and_wait("Still?", 1)
    assert (engine.requests[-1].num_beams, engine.requests[-1].temperature) == (5, 0.4)


@pytest.mark.parametrize("sign", [">", "> ", "- ", "1. "])
async def test_a_long_row_of_signs_is_shown(visit: Visit, sign: str) -> None:
    shown = "async (text) => (await import('/static/markdown.js')).markdown(text).map((node) => node.textContent).join('')"
    text = await visit.page.evaluate(shown, sign * DEEP + "goose")
    assert text.strip().endswith("goose")


async def test_who_looks_at_the_end_goes_on_looking_at_it(visit: Visit) -> None:
    await visit.ask_and_wait("Much?", 1)
    await visit.add_file("goose.png", drawing())
    await visit.question.fill("A question\nof\nmany\nlines")
    await expect(visit.page.locator("#pictures img")).to_be_visible()
    await visit.page.evaluate("() => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))")
    assert await below_the_end(visit.page) <= 1


async def test_a_page_that_can_not_begin_says_so_and_tries_again(visit: Visit) -> None:
    async def away(route: Route) -> None:
        await route.fulfill(status=503)

    await visit.page.route("**/api/start*", away)
    await visit.page.reload()
    await expect(visit.page.locator("#banner")).to_contain_text("Trying again")
    await visit.page.unroute("**/api/start*")
    await started(visit.page)
    await expect(visit.page.locator("#banner")).to_be_hidden()


async def test_who_was_signed_out_elsewhere_is_told(visit: Visit) -> None:
    async def signed_out(route: Route) -> None:
        await route.fulfill(status=401)

    async def follow(route: Route) -> None:
        await visit.page.route("**/api/session", signed_out)
        await signed_out(route)

    await visit.page.route("**/api/events*", follow)
    await visit.page.reload()
    await expect(visit.page.locator("#banner")).to_contain_text("You were signed out")
