"""What the page sends becomes the bot's `Incoming`, within bounds."""

from __future__ import annotations

from tests.adapters.conformance import PNG, Listener
from tests.adapters.web.browserless import Visitor


async def test_a_question_can_reply_to_an_answer_that_has_no_message_yet(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello", parent="stored-17")
    reply = bot.heard[-1].incoming.reply_to
    assert reply is not None
    assert reply.number == 17
    for name in ("stored-0", "stored-x", "stored-1234567890123456", "stored-", "17"):
        assert (await visitor.ask("Hello", parent=name)).status == 400


async def test_moved_sliders_go_with_the_question(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello", parent="a" * 24, temperature=0.3, beams=4)
    command = bot.heard[-1].incoming.command
    assert command is not None
    assert (command.name, dict(command.options)) == ("ask", {"prompt": "Hello", "temperature": 0.3, "beams": 4})


async def test_a_typed_command_is_one(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("/queue")
    (heard,) = bot.heard
    assert heard.incoming.command is not None
    assert heard.incoming.command.name == "queue"


async def test_the_language_of_the_page_is_handed_over(visitor: Visitor, bot: Listener) -> None:
    visitor.http.headers["Accept-Language"] = "zh-CN"
    await visitor.ask("你好")
    assert bot.heard[-1].incoming.locale == "zh-CN"


async def test_uploads_are_bounded(url: str, bot: Listener) -> None:
    async with Visitor(url) as visitor:
        assert (await visitor.ask("Big", (b"\0" * 3_000_000,))).status == 413
        assert (await visitor.ask("Many", (PNG, PNG, PNG))).status == 400
        assert (await visitor.ask("x" * 20_000)).status == 400
        assert (await visitor.ask("Strange", parent="../../etc/passwd")).status == 400
    assert bot.heard == []
