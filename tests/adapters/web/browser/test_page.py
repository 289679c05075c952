"""The page in a real browser, with a whole bot behind it."""

from __future__ import annotations

import base64
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from engine.api import ChatRequest
from tests.adapters.web.profiles import new_profile
from tests.adapters.web.whole import PHONE, Visit, config, drawing, served, started, visiting
from tests.bot.media.test_films import film
from tests.bot.rig import ScriptedEngine

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "<img src=x onerror=alert(1)> **bold** `<b>` [link](https://example.org/a) [bad](javascript:alert(1))"


def pictures_in(request: ChatRequest) -> int:
    return sum(part.type == "image_url" for m in request.messages if not isinstance(m.content, str) for part in m.content)


async def test_a_picture_is_previewed_asked_about_and_answered(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.add_picture("first.png")
    await visit.add_picture("second.png")
    await visit.page.get_by_role("button", name="Remove first.png").click()
    await expect(visit.page.locator("#pictures img")).to_have_count(1)
    await visit.ask_and_wait("What is this?", 1)
    await expect(visit.answers).to_have_text(["You asked: What is this?"])
    await expect(visit.page.locator("#pictures img")).to_have_count(0)
    assert pictures_in(engine.requests[0]) == 1
    shown = visit.page.locator(".message.person img")
    await expect(shown).to_have_attribute("src", "/api/pictures/" + (await shown.get_attribute("src") or "").rpartition("/")[2])
    assert await shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 120


@pytest.mark.skipif(find_spec("av") is None, reason="the extra `films` is not installed")
async def test_a_film_is_asked_about_by_its_frames(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.add_file("goose.mp4", film("mpeg4", "mp4"), "video/mp4")
    await expect(visit.page.locator("#pictures video")).to_have_attribute("title", "goose.mp4")
    await visit.ask_and_wait("What happens?", 1)
    assert pictures_in(engine.requests[0]) == 4
    await visit.ask_and_wait("/frames 8 And closer?", 2)
    assert pictures_in(engine.requests[1]) == 12
    await expect(visit.answers.last).to_contain_text("And closer?")


async def test_an_answer_grows_and_can_be_stopped(visit: Visit, engine: ScriptedEngine) -> None:
    engine.gate.clear()
    await visit.ask("Tell me a long story")
    await expect(visit.page.locator(".message.bot.unfinished")).to_be_visible()
    stop = visit.page.get_by_role("button", name="Stop the answer")
    await stop.click()
    await visit.finished(1)
    await expect(visit.page.get_by_role("button", name="Send")).to_be_disabled()


async def test_history_survives_a_reload_and_a_restart(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    async with new_profile(browser) as page:
        async with served(tmp_path, engine) as url:
            port = int(url.rpartition(":")[2])
            await page.goto(url)
            await started(page)
            visit = Visit(page)
            await visit.add_picture()
            await visit.ask_and_wait("Do you remember?", 1)
            await page.reload()
            await expect(visit.answers).to_have_text(["You asked: Do you remember?"])
        await expect(page.locator("#banner")).to_contain_text("No connection")
        async with served(tmp_path, engine, config(port)):
            await expect(page.locator("#banner")).to_be_hidden(timeout=60_000)
            await visit.ask_and_wait("And after a restart?", 2)
            await page.reload()
            await expect(visit.answers).to_have_text(["You asked: Do you remember?", "You asked: And after a restart?"])
            await expect(page.locator(".message.person img")).to_have_count(1)


async def test_again_makes_a_version_beside_the_first(visit: Visit) -> None:
    await visit.ask_and_wait("Which one?", 1)
    await visit.page.get_by_role("button", name="Again").click()
    await expect(visit.page.get_by_label("Version 2 of 2")).to_be_visible()
    await visit.finished(1)
    await visit.page.get_by_role("button", name="Previous version").click()
    await expect(visit.page.get_by_label("Version 1 of 2")).to_be_visible()


async def test_an_answer_that_was_cut_off_can_be_continued(visit: Visit, engine: ScriptedEngine) -> None:
    engine.finish = "length"
    await visit.ask_and_wait("A long one", 1)
    engine.finish = "stop"
    await visit.page.get_by_role("button", name="Continue", exact=True).click()
    await visit.finished(2)
    assert len(engine.requests[-1].messages) == 3
    await expect(visit.page.locator("#conversations .title")).to_have_count(1)
    texts = await visit.page.locator(".message .text").all_text_contents()
    await visit.page.reload()
    await visit.finished(2)
    assert await visit.page.locator(".message .text").all_text_contents() == texts


async def test_replying_to_any_message_branches_there(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.ask_and_wait("One", 1)
    await visit.ask_and_wait("Two", 2)
    first = visit.page.locator(".message.bot").first
    await first.hover()
    await first.get_by_role("button", name="Continue from here").click()
    await expect(visit.page.locator("#replying")).to_contain_text("You asked: One")
    await visit.ask_and_wait("Three", 2)
    await expect(visit.page.locator(".message.person .text")).to_have_text(["One", "Three"])
    assert [asked_in(message.content) for message in engine.requests[-1].messages if message.role == "user"] == ["One", "Three"]
    await visit.page.get_by_role("button", name="Previous version").click()
    await expect(visit.page.locator(".message.person .text")).to_have_text(["One", "Two"])


def asked_in(content: object) -> str:
    return content if isinstance(content, str) else "".join(getattr(part, "text", "") for part in content)  # type: ignore[attr-defined]


async def test_a_new_conversation_knows_nothing_of_the_old_one(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.ask_and_wait("Old", 1)
    await visit.page.get_by_role("button", name="New conversation").click()
    await expect(visit.page.locator("#welcome")).to_be_visible()
    await visit.ask_and_wait("New", 1)
    assert [message.role for message in engine.requests[-1].messages] == ["user"]
    await expect(visit.page.locator("#conversations .title")).to_have_text(["New", "Old"])
    await visit.page.locator("#conversations .title", has_text="Old").click()
    await expect(visit.answers).to_have_text(["You asked: Old"])


async def test_moved_sliders_explain_themselves_and_count(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.page.locator("#settings-button").click()
    await visit.page.get_by_label("Temperature").fill("0")
    await expect(visit.page.locator("#temperature-help")).to_contain_text("the same answer every time")
    await visit.page.get_by_label("Beams").fill("3")
    await expect(visit.page.locator("#beams-help")).to_contain_text("3 drafts at once")
    await visit.page.keyboard.press("Escape")
    await visit.ask_and_wait("Slowly?", 1)
    assert (engine.requests[-1].temperature, engine.requests[-1].num_beams) == (0, 3)


async def test_pictures_can_be_pasted_and_dropped(visit: Visit) -> None:
    for kind in ("paste", "drop"):
        await visit.page.evaluate(
            """([kind, data]) => {
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], `${kind}.png`, { type: "image/png" }));
                const pasted = new ClipboardEvent(kind, { clipboardData: transfer });
                const dropped = new DragEvent(kind, { dataTransfer: transfer });
                document.dispatchEvent(kind === "paste" ? pasted : dropped);
            }""",
            [kind, base64.b64encode(drawing()).decode()],
        )
    await expect(visit.page.get_by_alt_text("paste.png")).to_be_visible()
    await expect(visit.page.get_by_alt_text("drop.png")).to_be_visible()


async def test_what_is_no_picture_is_refused_with_its_name(visit: Visit) -> None:
    await visit.add_file("notes.txt", b"words", "text/plain")
    await expect(visit.page.get_by_role("alert").filter(has_text="notes.txt")).to_be_visible()


async def test_a_refused_question_stays_in_its_field(visit: Visit) -> None:
    await visit.add_file("liar.png", b"no picture at all")
    await visit.ask("What is this?")
    await expect(visit.page.locator("#problem")).to_contain_text("liar.png")
    await expect(visit.question).to_have_value("What is this?")
    await expect(visit.page.get_by_alt_text("liar.png")).to_be_visible()
    await expect(visit.page.locator(".aside")).to_have_count(0)
    await expect(visit.page.locator(".message")).to_have_count(0)


async def test_a_typed_command_is_answered_beside_the_conversation(visit: Visit) -> None:
    await visit.ask_and_wait("Hello", 1)
    await visit.ask("/temperature 0.4")
    await expect(visit.page.locator(".aside")).to_contain_text("0.4")
    await expect(visit.page.locator("#settings-summary")).to_contain_text("Temperature 0.4")
    await expect(visit.page.locator(".message")).to_have_count(2)


async def test_a_models_words_never_become_html(browser: Browser, tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda _: (HOSTILE,))
    engine.gate.set()
    async with served(tmp_path, engine) as url, visiting(browser, url) as visit:
        await visit.ask_and_wait("Go on", 1)
        answer = visit.answers.first
        await expect(answer).to_contain_text("<img src=x onerror=alert(1)>")
        assert await answer.locator("img").count() == 0
        await expect(answer.locator("strong")).to_have_text("bold")
        await expect(answer.locator("a")).to_have_text(["link"])
        await expect(answer.locator("a")).to_have_attribute("rel", "noopener noreferrer nofollow")


async def test_another_tab_sees_the_same(visit: Visit) -> None:
    other = Visit(await visit.page.context.new_page())
    await other.page.goto(visit.page.url)
    await visit.ask_and_wait("Two tabs?", 1)
    await expect(other.page.locator("#conversations .title")).to_have_text(["Two tabs?"])
    await other.page.locator("#conversations .title").click()
    await expect(other.answers).to_have_text(["You asked: Two tabs?"])


async def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    keyboard = visit.page.keyboard
    await visit.page.locator("body").press("Tab")
    await expect(visit.page.get_by_role("link", name="Skip to the question")).to_be_focused()
    await keyboard.press("Enter")
    await expect(visit.question).to_be_focused()
    await keyboard.type("First line")
    await keyboard.press("Shift+Enter")
    await keyboard.type("second line")
    await keyboard.press("Enter")
    await visit.finished(1)
    await expect(visit.answers).to_have_text(["You asked: First line second line"], use_inner_text=True)
    await expect(visit.question).to_be_focused()
    await keyboard.press("Tab")
    await expect(visit.page.get_by_role("button", name="Add pictures")).to_be_focused()
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(visit.page.get_by_label("Temperature")).to_be_focused()
    await keyboard.press("Escape")
    await expect(visit.page.locator("#settings-button")).to_be_focused()


async def test_every_control_has_a_name(visit: Visit) -> None:
    await visit.add_picture()
    await visit.ask_and_wait("Hello", 1)
    await visit.add_picture()
    names = await visit.page.locator("button:visible, input:visible, select:visible, textarea:visible").evaluate_all(
        "nodes => nodes.map(n => n.getAttribute('aria-label') || n.labels?.[0]?.textContent || n.textContent).map(t => t.trim())"
    )
    assert names
    assert all(names)


async def test_what_is_answered_is_announced(visit: Visit) -> None:
    await visit.ask_and_wait("Say it", 1)
    await expect(visit.page.get_by_role("status")).to_have_text("Gander answered: You asked: Say it")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_phone_in_chinese(browser: Browser, url: str, scheme: str) -> None:
    async with visiting(browser, url, locale="zh-CN", viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True) as visit:
        await visit.add_picture()
        await visit.ask_and_wait("一个很长很长的问题" * 30 + "averylongwordwithoutanyspaces" * 20, 1)
        await expect(visit.page.locator("html")).to_have_attribute("lang", "zh-CN")
        width = await visit.page.evaluate("() => [document.documentElement.scrollWidth, document.querySelector('#thread').scrollWidth]")
        assert max(width) <= PHONE["width"]
        await expect(visit.page.locator("#sidebar")).not_to_be_in_viewport()
        await visit.page.get_by_role("button", name="对话", exact=True).tap()
        await visit.page.get_by_role("button", name="新对话").tap()
        await expect(visit.page.get_by_text("看一眼，随便问")).to_be_visible()
        paper = await visit.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
        assert (paper == "rgb(23, 23, 21)") == (scheme == "dark")


@pytest.mark.parametrize(("locale", "language", "temperature"), [("zh-HK", "zh-TW", "溫度"), ("zh-SG", "zh-CN", "温度")])
async def test_chinese_stands_in_the_characters_that_are_read_there(
    browser: Browser, url: str, locale: str, language: str, temperature: str
) -> None:
    async with visiting(browser, url, locale=locale) as visit:
        await expect(visit.page.locator("html")).to_have_attribute("lang", language)
        await visit.ask("/temperature")
        await expect(visit.page.locator(".aside")).to_contain_text(temperature)


async def test_the_language_can_be_chosen_and_is_remembered(visit: Visit, engine: ScriptedEngine) -> None:
    await visit.page.get_by_label("Language").select_option("zh-CN")
    await expect(visit.page.get_by_role("button", name="新对话")).to_be_visible()
    await visit.ask("/temperature")
    await expect(visit.page.locator(".aside")).to_contain_text("温度")
    await visit.page.reload()
    await expect(visit.page.get_by_role("button", name="新对话")).to_be_visible()


async def test_a_password_stands_before_the_page(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    async with served(tmp_path, engine, config(password="honk honk")) as url, visiting(browser, url) as visit:
        await visit.page.get_by_label("Password").fill("quack")
        await visit.page.keyboard.press("Enter")
        await expect(visit.page.get_by_role("alert")).to_have_text("That is not the password. Try again.")
        await visit.page.get_by_label("Password").fill("honk honk")
        await visit.page.get_by_role("button", name="Sign in").click()
        await expect(visit.page.locator("#settings-summary")).not_to_be_empty()
        await visit.ask_and_wait("In?", 1)
        await visit.page.goto("data:text/html,<a href='" + url + "'>from elsewhere</a>")
        await visit.page.get_by_role("link").click()
        await expect(visit.answers).to_have_text(["You asked: In?"])


async def test_an_engine_that_is_away_is_told_and_the_question_waits(browser: Browser, tmp_path: Path, engine: ScriptedEngine) -> None:
    engine.away = True
    async with served(tmp_path, engine) as url, visiting(browser, url) as visit:
        await expect(visit.page.locator("#banner")).to_contain_text("No engine answers")
        await visit.ask("Anyone?")
        await expect(visit.page.locator(".message.bot.unfinished")).to_be_visible()
        engine.away = False
        await visit.finished(1)
        await expect(visit.page.locator("#banner")).to_be_hidden()
