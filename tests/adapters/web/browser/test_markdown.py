"""What models write, as the page shows it: in a real browser, under the page's own policy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from engine.api import ChatRequest
from tests.adapters.web.whole import Visit, served, visiting
from tests.bot.rig import ScriptedEngine

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABLE = "| left | right |\n|:--|--:|\n| a \\| b | **2** |\n"
NESTED = "***both*** and *one **inside** it*"
FORMULAS = "Inline \\(a_1^2 + b*c*d\\), then\n\n\\[\n\\frac{1}{2}\n= x\n\\]\n\nand \\(broken\\frac\\)."
CODE = "```python\ndef goose(honk):\n    return honk * 2\n```"
ARABIC = "- مرحبا بالعالم\n- أهلا\n\nEnglish again."


@pytest.fixture
def engine() -> ScriptedEngine:
    """Says what the question asks for, word for word."""
    engine = ScriptedEngine(said)
    engine.gate.set()
    return engine


def said(request: ChatRequest) -> Sequence[str]:
    content = request.messages[-1].content
    text = content if isinstance(content, str) else "".join(part.text for part in content if part.type == "text")
    return (text.removeprefix("Say: "),)


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> AsyncIterator[Visit]:
    async with served(tmp_path, engine) as url, visiting(browser, url) as visit:
        yield visit


async def answer(visit: Visit, text: str) -> Locator:
    await visit.question.fill(f"Say: {text}")
    await visit.question.press("Enter")
    await visit.finished(1)
    return visit.answers.first


async def test_a_table_keeps_its_escaped_pipes_and_its_alignment(visit: Visit) -> None:
    shown = await answer(visit, TABLE)
    await expect(shown.locator("th")).to_have_text(["left", "right"])
    await expect(shown.locator("td")).to_have_text(["a | b", "2"])
    assert await shown.locator("td").nth(1).evaluate("cell => getComputedStyle(cell).textAlign.endsWith('right')")
    await expect(shown.locator("td strong")).to_have_text("2")


async def test_nested_emphasis(visit: Visit) -> None:
    shown = await answer(visit, NESTED)
    await expect(shown.locator("em strong")).to_have_text(["both", "inside"])


async def test_formulas_become_mathml_and_a_broken_one_stays_as_it_was_written(visit: Visit) -> None:
    shown = await answer(visit, FORMULAS)
    await expect(shown.locator("math")).to_have_count(2)
    await expect(shown.locator("div.math mfrac")).to_have_count(1)
    await expect(shown.locator(".math").last).to_have_text("broken\\frac")
    assert await shown.locator("em").count() == 0


async def test_code_is_coloured_and_copied_as_it_is(visit: Visit) -> None:
    await visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = await answer(visit, CODE)
    await expect(shown.locator(".code-head")).to_contain_text("python")
    await expect(shown.locator(".hljs-keyword").first).to_have_text("def")
    await shown.get_by_role("button", name="Copy the code").click()
    await expect(visit.page.get_by_role("status")).to_have_text("Copied")
    assert await visit.page.evaluate("() => navigator.clipboard.readText()") == "def goose(honk):\n    return honk * 2"


async def test_each_part_runs_in_the_direction_of_its_script(visit: Visit) -> None:
    shown = await answer(visit, ARABIC)
    direction = "node => getComputedStyle(node).direction"
    assert await shown.locator("ul").evaluate(direction) == "rtl"
    assert await shown.locator("p").evaluate(direction) == "ltr"
    await visit.question.fill("مرحبا")
    assert await visit.question.evaluate(direction) == "rtl"


async def test_a_title_keeps_its_stars_and_underscores(visit: Visit) -> None:
    await answer(visit, "what is *args in my_file_name?")
    await expect(visit.page.locator("#conversations .title")).to_have_text(["Say: what is *args in my_file_name?"])


@pytest.mark.parametrize(
    "hostile",
    ["[x](javascript:alert(1))", "![x](https://example.org/a.png)", "<svg onload=alert(1)>", "\\(\\href{javascript:alert(1)}{x}\\)"],
)
async def test_nothing_that_runs_or_fetches_is_made(visit: Visit, hostile: str) -> None:
    shown = await answer(visit, hostile)
    assert await shown.locator("img, svg, script, [href^=javascript], [onload]").count() == 0
