"""Demo mode on Telegram: what is for the presenter goes to their private chat, samples are photos with buttons."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from bot.errors import FileRefused
from bot.message import Place
from bot.platform import Outgoing
from tests.adapters.strict.telegram.server import ApiError
from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import Connected, Whole, whole


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


async def test_where_it_may_send_no_pictures_samples_come_in_words(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        telegram.world.managers.add((group, ANN["id"]))
        telegram.api.refuse("sendPhoto", *[ApiError("Bad Request: not enough rights to send photos to the chat")] * 3)
        await telegram.world.say(group, "/demo start")
        await telegram.until(lambda: len(telegram.said(group)) == 5)
        assert [each["text"] for each in telegram.said(group)[2:]] == ["Some shapes", "Somebody", "Somebody else"]
        assert "How many circles are there?" in _labels(telegram, group)


async def test_a_file_that_is_gone_meanwhile_is_left_out(telegram: Connected, tmp_path: Path) -> None:
    place = Place("telegram", str(telegram.world.private()), private=True)
    with pytest.raises(FileRefused, match=r"gone\.html"):
        await telegram.platform.send(place, Outgoing("Here", files=(tmp_path / "gone.html",)), reply_to=None, nonce="n")


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
