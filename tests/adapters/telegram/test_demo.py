"""Demo mode on Telegram: what is for the presenter goes to their private chat, samples are photos with buttons."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tests.adapters.telegram.rig import Whole, whole
from tests.adapters.telegram.world import ANN, BOB


async def test_a_demo_in_a_group(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group, private = telegram.world.group(), telegram.world.private()
        telegram.world.managers.add((group, ANN["id"]))
        await telegram.world.say(group, "/demo start Funny?")
        await telegram.until(lambda: len(telegram.said(group)) == 5)
        assert not any("no wall" in str(each) for each in telegram.said(group))
        assert any("There is no wall" in each["text"] for each in telegram.said(private))
        assert "press Start in a private chat" in telegram.said(group)[0]["text"]
        assert [each.get("caption") for each in telegram.said(group)] == [None, None, "Some shapes", "Somebody", "Somebody else"]
        await telegram.world.say(group, "", by=BOB | {"language_code": "en"}, photo=telegram.world.photo(_drawing()))
        await telegram.until(lambda: any("You asked: Funny?" in each.get("text", "") for each in telegram.said(group)))
        await telegram.until(lambda: "👍" in _labels(telegram, group))
        answer = next(each for each in telegram.said(group) if "Funny?" in each.get("text", "") and "reply_markup" in each)
        vote = next(data for data in _data(answer) if data.startswith("/vote"))
        await telegram.world.press(group, answer["message_id"], vote, by=BOB | {"language_code": "en"})
        await telegram.until(lambda: "👍 · 1" in _labels(telegram, group))


async def test_an_export_comes_as_two_documents_to_the_presenter_alone(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group, private = telegram.world.group(), telegram.world.private()
        telegram.world.managers.add((group, ANN["id"]))
        await telegram.world.say(group, "/demo start")
        await telegram.until(lambda: len(telegram.said(group)) == 5)
        await telegram.world.say(group, "/demo export")
        await telegram.until(lambda: len(telegram.api.called("sendDocument")) == 2)
        assert {int(call["chat_id"]) for call in telegram.api.called("sendDocument")} == {private}


def _labels(telegram: Whole, chat: int) -> list[str]:
    markups = [each["reply_markup"]["inline_keyboard"] for each in telegram.said(chat) if "reply_markup" in each]
    return [button["text"] for rows in markups for row in rows for button in row]


def _data(message: dict[str, object]) -> list[str]:
    markup = message["reply_markup"]
    assert isinstance(markup, dict)
    return [button["callback_data"] for row in markup["inline_keyboard"] for button in row]


def _drawing() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (120, 90), "orange").save(file, "PNG")
    return file.getvalue()
