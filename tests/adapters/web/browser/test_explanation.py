"""How an answer came about, in a real browser: the chart of what each word could have been, and the tree of a beam search."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from math import log
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from engine.api import Alternative, BeamNode, ChatRequest, Chunk, ChunkChoice, Delta, Logprobs, TokenLogprobs
from tests.adapters.web.browser.test_accessibility import PROJECTOR, serious_faults
from tests.adapters.web.browserless import Visitor
from tests.adapters.web.whole import PHONE, Visit, served, visiting
from tests.bot.rig import ScriptedEngine

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = {"A": {"A": 0.75, "The": 0.25}, " goose": {" duck": 0.5, " goose": 0.375, " <b>hat</b>": 0.125}, ".": {".": 1.0}}
TREE = (
    BeamNode(text="A", score=-0.3, parent=None, step=1),
    BeamNode(text="The", score=-1.4, parent=None, step=1),
    BeamNode(text="A goose", score=-0.9, parent=0, step=2),
    BeamNode(text="A duck", score=-1.1, parent=0, step=2),
    BeamNode(text="A goose.", score=-1.0, parent=2, step=3, rank=-1.0 / 3**2, choice=0),
    BeamNode(text="A goose.", score=-1.8, parent=2, step=3, rank=-1.8 / 3**2),  # with other tokens: the same words, but not the answer
    BeamNode(text="A duck flies", score=-2.5, parent=3, step=3),
    BeamNode(text="", score=-0.9, parent=None, step=1, rank=-0.9),
)


@dataclass
class TellingEngine(ScriptedEngine):
    """Says "A goose." and tells how, where it is asked to and `tells`."""

    tells: bool = True
    tree: tuple[BeamNode, ...] = TREE
    penalty: float | None = 2.0

    async def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        self.requests.append(request)
        for word, chances in WORDS.items():
            told = self._told(word, chances) if request.logprobs and self.tells else None
            yield self._chunk(ChunkChoice(delta=Delta(content=word), logprobs=told))
        await self.gate.wait()
        beams, penalty = (self.tree, self.penalty) if request.beam_tree and self.tells else (None, None)
        yield self._chunk(ChunkChoice(finish_reason="stop", beams=beams, length_penalty=penalty))

    def _told(self, word: str, chances: dict[str, float]) -> Logprobs:
        others = tuple(Alternative(token=token, logprob=log(p)) for token, p in chances.items())
        return Logprobs(content=(TokenLogprobs(token=word, logprob=log(chances[word]), top_logprobs=others),))


@pytest.fixture
def engine() -> TellingEngine:
    engine = TellingEngine(lambda _: ())
    engine.gate.set()
    return engine


@pytest_asyncio.fixture(loop_scope="session")
async def url(tmp_path: Path, engine: TellingEngine) -> AsyncIterator[str]:
    async with served(tmp_path, engine) as url:
        yield url


async def opened(visit: Visit) -> Page:
    await visit.page.get_by_role("button", name="How these words came about").click()
    await expect(visit.page.locator("#explanation")).to_be_visible()
    return visit.page


@pytest.mark.parametrize("viewport", [PROJECTOR, PHONE], ids=["projector", "phone"])
async def test_the_chart_shows_the_actual_chances_at_the_chosen_temperature(
    browser: Browser, url: str, engine: TellingEngine, viewport: dict[str, int]
) -> None:
    async with visiting(browser, url, viewport=viewport) as visit:
        await visit.ask("/temperature 0.7 me")
        await expect(visit.page.locator(".aside")).to_contain_text("0.7")
        await visit.ask_and_wait("Tell me something", 1)
        page = await opened(visit)
        assert (engine.requests[-1].logprobs, engine.requests[-1].temperature) == (True, 0.7)
        await expect(page.locator("#explanation-body")).to_contain_text("At temperature 0.7")
        await expect(page.locator(".tokens button")).to_have_text(["A", "goose", "."])
        await page.locator(".tokens button", has_text="goose").click()
        await expect(page.locator(".chances code")).to_have_text(["␣duck", "␣goose", "␣<b>hat</b>"])
        await expect(page.locator(".chances li > :last-child")).to_have_text(["50 %", "38 %", "13 %"])
        await expect(page.locator(".chances [aria-current]")).to_contain_text("goose")
        assert await serious_faults(page) == []
        assert await page.evaluate("() => document.querySelector('#explanation').scrollWidth <= innerWidth")
        await page.keyboard.press("Escape")
        await expect(page.locator("#explanation")).to_be_hidden()


@pytest.mark.parametrize("viewport", [PROJECTOR, PHONE], ids=["projector", "phone"])
async def test_beams_show_the_tree_of_what_they_weighed_with_scores(
    browser: Browser, url: str, engine: TellingEngine, viewport: dict[str, int]
) -> None:
    async with visiting(browser, url, viewport=viewport) as visit:
        await visit.ask("/beams 3 me")
        await expect(visit.page.locator(".aside")).to_be_visible()
        await expect(visit.page.locator(".aside")).to_contain_text("3")
        await visit.ask_and_wait("Tell me something", 1)
        page = await opened(visit)
        assert (engine.requests[-1].beam_tree, engine.requests[-1].logprobs) == (True, False)
        drafts = [
            "A goose.-1.00 ÷ 3^2 = -0.11★ chosen",
            "A goose.-1.80 ÷ 3^2 = -0.20",
            "∅ (no words)-0.90 ÷ 1^2 = -0.90",
        ]
        await expect(page.locator(".draft")).to_have_text(drafts)
        await expect(page.locator(".draft.won")).to_have_text(drafts[:1])
        await expect(page.locator("#explanation-body")).to_contain_text("the length penalty, which was 2. The highest figure is chosen")
        await expect(page.locator("#explanation-body")).to_contain_text("∅ is an answer of no words")
        pieces = [
            "A -0.30",
            "goose -0.90",
            ". (end) -1.00 ★ chosen",
            ". (end) -1.80",
            "duck flies -2.50",
            "∅ (no words) -0.90",
            "The -1.40",
        ]
        await expect(page.locator(".piece")).to_have_text(pieces)
        await expect(page.locator(".piece.won")).to_have_text(pieces[:3])
        assert await serious_faults(page) == []


async def test_an_answer_of_no_words_that_won_is_said_to_be_one(browser: Browser, url: str, engine: TellingEngine) -> None:
    engine.tree, engine.penalty = (*TREE[:4], BeamNode(text="", score=-0.2, parent=None, step=1, rank=-0.2, choice=0)), 1.0
    async with visiting(browser, url) as visit:
        await visit.ask("/beams 3 me")
        await expect(visit.page.locator(".aside")).to_be_visible()
        await visit.ask_and_wait("Tell me something", 1)
        page = await opened(visit)
        await expect(page.locator(".draft.won")).to_have_text("∅ (no words)-0.20 ÷ 1 = -0.20★ chosen")
        await expect(page.locator(".piece.won")).to_have_text("∅ (no words) -0.20 ★ chosen")


async def test_every_draft_that_finished_is_shown(browser: Browser, url: str, engine: TellingEngine) -> None:
    engine.tree = tuple(
        BeamNode(text=f"Goose {n}", score=-n / 8, parent=None, step=1, rank=-n / 8, choice=None if n else 0) for n in range(40)
    )
    engine.penalty = 0.0
    async with visiting(browser, url) as visit:
        await visit.ask("/beams 3 me")
        await expect(visit.page.locator(".aside")).to_be_visible()
        await visit.ask_and_wait("Tell me something", 1)
        page = await opened(visit)
        await expect(page.locator(".draft")).to_have_count(40)
        await expect(page.locator(".piece")).to_have_count(40)
        await expect(page.locator("#explanation-body")).to_contain_text("The length penalty was 0")


async def test_nothing_is_marked_as_chosen_where_the_engine_does_not_say(browser: Browser, url: str, engine: TellingEngine) -> None:
    engine.tree, engine.penalty = (*TREE[:3], BeamNode(text="A goose.", score=-1.0, parent=2, step=3)), None
    async with visiting(browser, url) as visit:
        await visit.ask("/beams 3 me")
        await expect(visit.page.locator(".aside")).to_be_visible()
        await visit.ask_and_wait("Tell me something", 1)
        page = await opened(visit)
        await expect(page.locator("#explanation-body")).to_contain_text("doesn't say how it ranked them")
        await expect(page.locator(".won")).to_have_count(0)


async def test_an_answer_that_was_stopped_says_why_nothing_is_told(browser: Browser, url: str, engine: TellingEngine) -> None:
    async with visiting(browser, url) as visit:
        await visit.ask("/beams 3 me")
        await expect(visit.page.locator(".aside")).to_be_visible()
        engine.gate.clear()
        await visit.ask("Tell me something")
        await expect(visit.answers).to_have_text("A goose.")
        await visit.page.get_by_role("button", name="Stop the answer").click()
        await visit.finished(1)
        await expect((await opened(visit)).locator("#explanation-body")).to_contain_text("stopped before the engine could tell")


async def test_an_engine_that_tells_nothing_is_said_to(browser: Browser, url: str, engine: TellingEngine) -> None:
    engine.tells = False
    async with visiting(browser, url) as visit:
        await visit.ask_and_wait("Tell me something", 1)
        await expect((await opened(visit)).locator("#explanation-body")).to_contain_text("doesn't tell")


async def test_nobody_sees_how_another_person_s_answer_came_about(url: str) -> None:
    async with Visitor(url) as ann, Visitor(url) as eve:
        await ann.ask("Tell me something")
        answer = 0
        while not answer:
            recent = (await ann.get("/api/messages"))["messages"]
            answer = next((message["answer"] for message in recent if message["role"] == "bot" and message["final"]), 0)
        assert "".join(token["token"] for token in (await ann.get(f"/api/explanations/{answer}"))["tokens"]) == "A goose."
        assert (await eve.get(f"/api/explanations/{answer}"))["key"] == "explanation-gone"
