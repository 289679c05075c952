"""Which file of a message is looked at: sizes, stills of what moves, hidden pictures, and files larger than Telegram hands out."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
from PIL import Image
from telegram import Message

from adapters.telegram.pictures import PictureFinder
from bot.media.films import can_open_films
from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.server import ApiError, BotApi
from tests.adapters.strict.telegram.world import BOB, Json, World
from tests.adapters.telegram.rig import Connected, whole
from tests.bot.looking.test_places import PointingEngine, named
from tests.bot.rig import echo

STILL = PNG + b"still"


async def test_chooses_the_size_that_helps(telegram: Connected) -> None:
    photo = telegram.world.photo(PNG, (90, 60), (1280, 853), (2560, 1706))
    await telegram.world.say(telegram.world.private(), photo=photo)
    assert (await telegram.bot.hears()).pictures == (b"1280x853",)


@pytest.mark.parametrize("kind", ["sticker", "animated sticker", "video sticker", "animation", "video", "video_note", "video as a file"])
async def test_what_moves_is_seen_by_its_still(telegram: Connected, kind: str) -> None:
    await telegram.world.say(telegram.world.private(), **_moving(telegram.world, kind))
    assert (await telegram.bot.hears()).pictures == ((PNG,) if kind == "sticker" else (STILL,))


async def test_what_is_found_is_shown_on_the_picture_below_the_answer(tmp_path: Path) -> None:
    async with whole(tmp_path, PointingEngine(echo, boxes=(named("a goose"),))) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "/find the goose", photo=telegram.world.photo(PNG))
        await telegram.until(lambda: any(each.get("caption") == "In the picture: 1 a goose" for each in telegram.said(chat)))
    assert telegram.engine.requests[0].find == "the goose"


async def test_the_answer_says_that_it_saw_a_still(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        sticker = _moving(telegram.world, "animated sticker")["sticker"] | {"thumbnail": telegram.world.thumbnail(PNG)}
        await telegram.world.say(chat, sticker=sticker)
        [answer] = await telegram.answers(chat)
        assert "a still of it alone" in answer


@pytest.mark.parametrize("kind", ["video sticker", "animation", "video", "video_note", "video as a file", "animated sticker"])
async def test_where_films_can_be_opened_they_are_taken_but_for_drawn_stickers(telegram: Connected, kind: str) -> None:
    message = Message.de_json({"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, **_moving(telegram.world, kind)}, None)
    assert message
    async with httpx.AsyncClient() as http:
        [found] = PictureFinder(telegram.account.client, http, 1024, films=True).pictures_of(message)
    assert found.content_type == (None if kind == "animated sticker" else "video/mp4")


async def test_a_gif_that_telegram_keeps_as_a_file_is_seen(telegram: Connected) -> None:
    await telegram.world.say(telegram.world.private(), document=telegram.world.document(b"GIF89a", "goose.gif", "image/gif"))
    assert (await telegram.bot.hears()).pictures == (b"GIF89a",)


async def test_a_file_that_is_no_picture_gets_one_kind_line(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat, diary = telegram.world.private(), telegram.world.document(b"dear diary", "notes.txt", "text/plain")
        first = await telegram.world.say(chat, "What does it say?", document=diary)
        film = _moving(telegram.world, "video")["video"]
        film |= {"file_id": telegram.world.file(b"....ftypisom"), "file_name": "goose.mp4"}
        del film["thumbnail"]
        await telegram.world.say(chat, "And this?", video=film)
        await telegram.answers(chat, 2)
        said = {each["reply_to_message"]["message_id"]: each["text"] for each in telegram.said(chat)}
        assert "“notes.txt” isn't a picture" in said.pop(first["message_id"])  # it is read beside the other, and may come second
        assert "“goose.mp4” is " in (last := said.popitem()[1])
        assert ("is damaged" if can_open_films() else "is a film") in last
        replied = telegram.world.keep(chat, BOB, document=diary)
        await telegram.world.say(chat, "What do you think?", reply_to_message=replied)
        assert (await telegram.answers(chat, 3))[2].startswith("You asked: What do you think?")


async def test_the_answer_about_a_hidden_picture_is_hidden_and_so_is_what_follows(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "What?", photo=telegram.world.photo(PNG), has_media_spoiler=True)
        await telegram.answers(chat)
        await telegram.world.say(chat, "And then?")
        await telegram.answers(chat, 2)
        drafts = telegram.world.drafts.get(chat, [])
    for shown in (*telegram.said(chat), *drafts):
        spoilers = [each for each in shown.get("entities", []) if each["type"] == "spoiler"]
        assert [(each["offset"], each["length"]) for each in spoilers] == [(0, len(shown["text"]))]
    assert len(telegram.said(chat)) == 2


async def test_a_reply_to_somebodys_hidden_picture_is_answered_under_a_spoiler(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        shown = telegram.world.keep(group, BOB, photo=telegram.world.photo(PNG), has_media_spoiler=True)
        await telegram.world.say(group, "@gander_bot what is it?", reply_to_message=shown)
        await telegram.answers(group)
    assert telegram.said(group)[0]["entities"][0]["type"] == "spoiler"


async def test_a_server_of_ones_own_hands_over_files_beyond_telegrams_limit(tmp_path: Path) -> None:
    api, large = BotApi(disk=tmp_path), io.BytesIO()
    Image.new("RGB", (2_700, 2_500), "orange").save(large, "BMP")
    assert len(large.getvalue()) > 20_000_000
    async with whole(tmp_path / "home", api=api, telegram={"local_files": True}, media={"file_mib": 32, "read_writing": False}) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Seen?", document=telegram.world.document(large.getvalue(), "goose.bmp", "image/bmp"))
        assert await telegram.answers(chat) == ["You asked: Seen?"]
        assert "data:image/" in str(telegram.engine.requests[0])[:1_000]


def _moving(world: World, kind: str) -> Json:
    """A message's part that shows something that moves, as Telegram tells it; a sticker that does not, for comparison."""
    file = world.file(PNG if kind == "sticker" else b"moving")
    shape = {"file_id": file, "file_unique_id": file, "width": 512, "height": 512}
    still: Json = {} if kind == "sticker" else {"thumbnail": world.thumbnail(STILL)}
    if kind.endswith("sticker"):
        told = {"is_animated": kind.startswith("animated"), "is_video": kind.startswith("video"), "type": "regular"}
        return {"sticker": {**shape, **told, **still}}
    if kind == "video as a file":
        return {"document": {**world.document(b"mp4", "goose.mp4", "video/mp4"), **still}}
    size = {"length": 240} if kind == "video_note" else {}
    return {kind: {**shape, "duration": 2, **size, **still}}


async def test_a_server_of_ones_own_hands_over_files_from_this_machine(tmp_path: Path) -> None:
    api = BotApi(disk=tmp_path)
    async with whole(tmp_path / "home", api=api, telegram={"local_files": True}) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Seen?", photo=telegram.world.photo(PNG))
        assert await telegram.answers(chat) == ["You asked: Seen?"]
    assert "data:image/png" in str(telegram.engine.requests[0])


@pytest.mark.parametrize(("refusal", "words"), [("file is too big", "too large"), ("wrong file_id", "could not be fetched")])
async def test_a_file_that_telegram_keeps_is_explained(tmp_path: Path, refusal: str, words: str) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.api.refuse("getFile", ApiError(f"Bad Request: {refusal}"))
        await telegram.world.say(chat, "Seen?", photo=telegram.world.photo(PNG))
        assert words in (await telegram.answers(chat))[0]
