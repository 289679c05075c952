"""`/ask` hands over the question with its settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.command_registry import CommandRunner
from bot.message import Attachment, Reply
from tests.bot.commands.diary import Diary, refusal
from tests.bot.people import commanded


async def test_ask_hands_over_the_question_with_its_settings(runner: CommandRunner, diary: Diary) -> None:
    assert await runner.run(commanded("ask", prompt=" What is it? ", temperature="0.2", beams=5), diary) is None
    assert diary.done == [("ask", "What is it?", {"temperature": "0.2", "beams": 5})]


async def test_ask_needs_words_or_a_picture(runner: CommandRunner, diary: Diary) -> None:
    async def read() -> Any:
        yield b""

    picture = Attachment("cat.png", read)
    assert (await refusal(runner, diary, commanded("ask")))[0] == "ask.empty"
    await runner.run(replace(commanded("ask"), attachments=(picture,)), diary)
    await runner.run(replace(commanded("ask"), reply_to=Reply("7", attachments=(picture,))), diary)
    assert diary.done == [("ask", "", {})] * 2
