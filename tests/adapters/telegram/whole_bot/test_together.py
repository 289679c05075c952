"""What people send together is read together, and the picture that they mean is found, as Telegram tells it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.adapters.strict.telegram.world import ANN, BOB, Json
from tests.adapters.telegram.rig import Whole, whole
from tests.bot.hostile import encode
from tests.bot.postgres import column
from tests.bot.rig import asked

GOOSE, DUCK = (encode(Image.new("RGB", (20, 10), color), "PNG") for color in ("white", "brown"))


def kept_pictures(home: Path) -> list[str]:
    """The messages with pictures that are remembered over a restart."""
    return column(home / "gander.db", "SELECT message_id FROM recent_picture ORDER BY at")


def light_and_dark(sheet: Image.Image) -> tuple[bool, bool]:
    """Whether the first of two tiles shows the white goose, and the second the brown duck."""
    first, second = (sheet.convert("L").getpixel((x * sheet.width // 4, sheet.height // 2)) for x in (1, 3))
    return first == 255, isinstance(second, int) and second < 128


def requests_of(telegram: Whole) -> list[tuple[str, int]]:
    """What the engine was asked, and with how many pictures."""
    return [(asked(request), str(request).count("data:image/")) for request in telegram.engine.requests]


async def forward(telegram: Whole, chat: int, data: bytes, caption: str = "") -> Json:
    origin = {"type": "hidden_user", "date": 1, "sender_user_name": "Somebody"}
    return await telegram.world.say(chat, caption, photo=telegram.world.photo(data), forward_origin=origin)


async def test_words_and_then_a_forwarded_photo_are_one_question(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "what is this?")
        await forward(telegram, chat, GOOSE, "a caption of somebody else's")
        assert await telegram.answers(chat) == ["You asked: what is this?"]
        await telegram.world.say(chat, "/queue")
        await telegram.answers(chat, 2)
    assert requests_of(telegram) == [("what is this?", 1)]


async def test_words_and_then_an_album_in_a_group_are_one_question(tmp_path: Path) -> None:
    """Nobody mentions the bot in the album; its parts come after each other."""
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        await telegram.world.say(group, "@gander_bot which of these is bigger?")
        await telegram.world.album(group, [GOOSE, DUCK])
        await telegram.answers(group)
    assert requests_of(telegram) == [("which of these is bigger?", 2)]


async def test_captions_on_any_picture_of_an_album_are_read(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        parts = ("", "the left one", "@gander_bot which is a goose?")
        for text in parts:
            await telegram.world.say(group, text, photo=telegram.world.photo(GOOSE if text else DUCK), media_group_id="77")
        await telegram.answers(group)
    assert requests_of(telegram) == [("the left one\nwhich is a goose?", 3)]


async def test_a_paste_that_telegram_cut_is_one_question(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        pieces = ["goose " * 680 + "end", "duck " * 810 + "end", "And who is that?"]
        for piece in pieces:
            await telegram.world.say(chat, piece)
        await telegram.until(lambda: bool(telegram.engine.requests))
        await telegram.until(lambda: not telegram.engine.running and not telegram.world.updates)
    assert [text for text, _ in requests_of(telegram)] == ["\n".join(pieces)]


async def test_a_quote_reaches_the_model_as_a_quote(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        said = await telegram.world.say(group, "Geese fly south. Ducks stay.", by=BOB)
        quote = {"text": "Ducks stay.", "position": 17, "is_manual": True}
        await telegram.world.say(group, "@gander_bot is that so?", reply_to_message=said, quote=quote)
        await telegram.answers(group)
        await telegram.world.say(group, "@gander_bot and all of it?", reply_to_message=said)
        await telegram.answers(group, 2)
    assert [text for text, _ in requests_of(telegram)] == [
        "> Ducks stay.\n\nis that so?",
        "> Geese fly south. Ducks stay.\n\nand all of it?",
    ]


async def test_the_picture_that_the_asker_just_posted_is_meant_and_named(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        await telegram.world.say(group, "look", photo=telegram.world.photo(GOOSE))
        await telegram.world.say(group, "@gander_bot what is this?")
        [answer] = await telegram.answers(group)
    assert "About the picture that you just showed" in answer
    assert requests_of(telegram) == [("what is this?", 1)]


async def test_the_picture_of_whom_somebody_replies_to_is_meant_and_named(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        await telegram.world.say(group, photo=telegram.world.photo(GOOSE), by=BOB)
        words = await telegram.world.say(group, "guess!", by=BOB)
        await telegram.world.say(group, "@gander_bot what is this?", reply_to_message=words)
        [answer] = await telegram.answers(group)
    assert "About Bob's picture" in answer
    assert requests_of(telegram) == [("> guess!\n\nwhat is this?", 1)]


async def test_of_several_pictures_the_asker_chooses_one(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        for data in (GOOSE, DUCK):
            await telegram.world.say(group, photo=telegram.world.photo(data))
        await telegram.world.say(group, "@gander_bot what is this?")
        await telegram.until(lambda: bool(telegram.said(group)))
        offered = telegram.said(group)[0]
        assert offered["caption"] == "Which picture do you mean?"
        [sheet] = (tmp_path / "exports").glob("choice-*.jpg")
        with Image.open(sheet) as drawn:
            assert light_and_dark(drawn) == (True, True)
        first, second = [button["callback_data"] for row in offered["reply_markup"]["inline_keyboard"] for button in row]
        await telegram.world.press(group, offered["message_id"], first, by=BOB)
        await telegram.world.press(group, offered["message_id"], second, by=ANN)
        await telegram.until(lambda: any("You asked" in str(each.get("text")) for each in telegram.said(group)))
        assert not list((tmp_path / "exports").glob("choice-*.jpg"))
    assert requests_of(telegram) == [("what is this?", 1)]
    assert telegram.world.files[telegram.api.called("getFile")[-1]["file_id"]] == DUCK


async def test_a_picture_from_before_a_restart_is_still_meant(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        shown = await telegram.world.say(group, photo=telegram.world.photo(GOOSE))
        await telegram.until(lambda: kept_pictures(tmp_path) == [str(shown["message_id"])])
    async with whole(tmp_path, api=telegram.api) as telegram:
        await telegram.world.say(group, "@gander_bot what is this?")
        assert "About the picture that you just showed" in (await telegram.answers(group))[0]
    assert requests_of(telegram) == [("what is this?", 1)]


async def test_without_any_picture_the_bot_asks_for_one_and_says_what_hides_it(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        await telegram.world.say(group, "@gander_bot what is this?")
        assert (await telegram.answers(group))[0].startswith("Which picture?")
    telegram.api.world.privacy = True
    async with whole(tmp_path / "private", api=telegram.api) as telegram:
        await telegram.world.say(group, "@gander_bot what is this?")
        assert "privacy mode" in (await telegram.answers(group, 2))[1]
    assert telegram.engine.requests == []


async def test_an_older_picture_is_not_answered_about_silently_where_a_newer_one_stands(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        await telegram.world.say(group, "@gander_bot what?", photo=telegram.world.photo(GOOSE))
        await telegram.answers(group)
        await telegram.world.say(group, photo=telegram.world.photo(DUCK), by=BOB)
        await telegram.world.say(group, "@gander_bot and how old?")
        answers = await telegram.answers(group, 2)
    assert answers[0] == "You asked: what?"
    assert "About the earlier picture" in answers[1]


async def test_a_comment_is_about_the_picture_of_the_channels_post(tmp_path: Path) -> None:
    """Of a comment that replies to another comment Telegram tells that one alone."""
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        channel = {"id": -100_9, "type": "channel", "title": "Pond"}
        post = await telegram.world.say(
            group, "our goose", photo=telegram.world.photo(GOOSE), sender_chat=channel, is_automatic_forward=True
        )
        thread = {"message_thread_id": post["message_id"]}
        comment = await telegram.world.say(group, "nice", by=BOB, reply_to_message=post, **thread)
        await telegram.world.say(group, "@gander_bot what is it?", reply_to_message=comment, **thread)
        await telegram.answers(group)
    assert [pictures for _, pictures in requests_of(telegram)] == [1]
