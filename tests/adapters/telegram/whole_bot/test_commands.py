"""Commands on Telegram: typed and pressed, in every language; and who may press what."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import Whole, whole


async def test_start_greets_with_help(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "/start from_a_link")
        assert "/ask" in (await telegram.answers(chat))[0]


async def test_a_command_in_a_group_by_name_sets_the_value_for_those_who_may(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        telegram.world.managers.add((group, ANN["id"]))
        await telegram.world.say(group, "/temperature@gander_bot 0.7")
        assert await telegram.answers(group) == ["temperature is now 0.7 for this chat."]
        await telegram.world.say(group, "/temperature 0.1 channel", by=BOB | {"language_code": "en"})
        assert "Only those who manage" in (await telegram.answers(group, 2))[1]


async def test_commands_are_understood_and_answered_in_chinese(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private(BOB)
        for number, text in enumerate(("/温度 0.7", "/temperature", "/ask"), start=1):
            await telegram.world.say(chat, text, by=BOB)
            await telegram.answers(chat, number)
        said = [each["text"] for each in telegram.said(chat)]
    assert said[0].startswith("温度已设为 0.7")
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in said)


async def test_ask_as_a_reply_to_a_picture_asks_about_it(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        shown = telegram.world.keep(group, BOB, photo=telegram.world.photo(_drawing()))
        await telegram.world.say(group, "/ask what is it?", reply_to_message=shown)
        assert (await telegram.answers(group))[0].startswith("You asked: what is it?")
        assert "data:image/" in str(telegram.engine.requests[0])


async def test_pain_nobody_presses_anothers_buttons(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        telegram.engine.gate.clear()
        await telegram.world.say(group, "@gander_bot slow?")
        await telegram.until(lambda: telegram.engine.running == 1)
        await telegram.world.say(group, "/stop", by=BOB | {"language_code": "en"})
        assert "Nothing is being written for you here." in await telegram.answers(group)
        telegram.engine.gate.set()
        await telegram.until(lambda: any(data.startswith("/again") for data in _buttons(telegram, group)))
        answer = next(each for each in telegram.said(group) if each["text"] == "You asked: slow?")
        again = next(data for data in _buttons(telegram, group) if data.startswith("/again"))
        await telegram.world.press(group, answer["message_id"], again, by=BOB | {"language_code": "en"})
        await telegram.until(lambda: any("for somebody else" in each["text"] for each in telegram.api.called("answerCallbackQuery")))
        assert not any("for somebody else" in each["text"] for each in telegram.said(group))


async def test_forged_callback_data_does_no_harm(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "hello")
        await telegram.answers(chat)
        message = telegram.said(chat)[0]["message_id"]
        forged = ("/again answer_id:x", "/again answer_id:99999999999", "/stop answer_id:" + "9" * 40, "", "|", "no command")
        for data in forged:
            await telegram.world.press(chat, message, data)
        for text in ("/again answer_id:x", "/stop answer_id:" + "9" * 40, "/stop answer_id:²"):
            await telegram.world.say(chat, text)
        await telegram.until(lambda: len(telegram.api.called("answerCallbackQuery")) == len(forged))
        await telegram.world.say(chat, "still there?")
        await telegram.until(lambda: any(each["text"] == "You asked: still there?" for each in telegram.said(chat)))
        assert len(telegram.engine.requests) == 2


def _buttons(telegram: Whole, chat: int) -> list[str]:
    markups = [each["reply_markup"]["inline_keyboard"] for each in telegram.said(chat) if "reply_markup" in each]
    return [button["callback_data"] for rows in markups for row in rows for button in row]


def _drawing() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (120, 90), "orange").save(file, "PNG")
    return file.getvalue()
