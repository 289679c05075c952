"""What the bot is handed of what people do on Telegram: each pain of users of other bots that begins with reading."""

from __future__ import annotations

import pytest

from bot.message import Address, Invocation
from tests.adapters.conformance import PNG, collect
from tests.adapters.strict.telegram.world import ANN, BOB, ME
from tests.adapters.telegram.rig import Connected


async def test_pain_1_sees_the_picture_of_the_message_that_is_replied_to(telegram: Connected) -> None:
    group = telegram.world.group()
    shown = telegram.world.keep(group, BOB, photo=telegram.world.photo(PNG))
    await telegram.world.say(group, "@gander_bot what is this?", reply_to_message=shown)
    incoming = (await telegram.bot.hears()).incoming
    assert incoming.reply_to is not None
    assert [await collect(each.read()) for each in incoming.reply_to.attachments] == [PNG]
    assert incoming.reply_to.author is not None
    assert (incoming.reply_to.author.name, incoming.reply_to.is_ours, incoming.text) == ("Bob", False, "what is this?")


async def test_pain_2_sees_a_picture_that_is_sent_as_a_file(telegram: Connected) -> None:
    await telegram.world.say(telegram.world.private(), "this?", document=telegram.world.document(PNG))
    heard = await telegram.bot.hears()
    assert (heard.pictures, heard.incoming.attachments[0].name, heard.incoming.text) == ((PNG,), "goose.png", "this?")


@pytest.mark.parametrize(
    ("caption", "text", "address"),
    [("what @gander_bot is it?", "what is it?", Address.MENTION), ("/ask what is it?", "/ask what is it?", Address.COMMAND)],
)
async def test_pain_3_takes_a_caption_and_the_mention_in_it(telegram: Connected, caption: str, text: str, address: Address) -> None:
    await telegram.world.say(telegram.world.group(), caption, photo=telegram.world.photo(PNG))
    heard = await telegram.bot.hears()
    assert (heard.pictures, heard.incoming.text, heard.incoming.address) == ((PNG,), text, address)


async def test_ask_in_a_caption_is_the_command_with_its_options(telegram: Connected) -> None:
    await telegram.world.say(telegram.world.group(), "/ask@gander_bot what is it? beams:5", photo=telegram.world.photo(PNG))
    command = (await telegram.bot.hears()).incoming.command
    assert command is not None
    assert (command.name, command.options) == ("ask", {"prompt": "what is it?", "beams": "5"})


async def test_pain_4_a_reply_to_the_bot_with_a_picture_and_no_words_is_for_the_bot(telegram: Connected) -> None:
    group = telegram.world.group()
    ours = telegram.world.keep(group, ME, text="A goose.")
    await telegram.world.say(group, photo=telegram.world.photo(PNG), reply_to_message=ours)
    heard = await telegram.bot.hears()
    assert (heard.pictures, heard.incoming.address) == ((PNG,), Address.REPLY)


async def test_pain_5_a_picture_that_is_not_for_the_bot_is_only_overheard(telegram: Connected) -> None:
    await telegram.world.say(telegram.world.group(), "look at that", photo=telegram.world.photo(PNG))
    assert (await telegram.bot.hears()).incoming.address is Address.OVERHEARD


async def test_pain_6_an_album_is_one_question_with_all_its_pictures(telegram: Connected) -> None:
    group = telegram.world.group()
    parts = await telegram.world.album(group, [PNG, PNG + b"2", PNG + b"3"], "@gander_bot which is best?")
    await telegram.world.say(group, "@gander_bot and now?")
    await telegram.bot.hears(2)
    album, after = telegram.bot.heard
    assert album.pictures == (PNG, PNG + b"2", PNG + b"3")
    assert (album.incoming.text, album.incoming.id) == ("which is best?", str(parts[0]["message_id"]))
    assert after.incoming.text == "and now?"


async def test_pain_13_takes_a_forwarded_picture(telegram: Connected) -> None:
    origin = {"type": "user", "date": 1, "sender_user": BOB}
    await telegram.world.say(telegram.world.private(), photo=telegram.world.photo(PNG), forward_origin=origin)
    assert (await telegram.bot.hears()).pictures == (PNG,)


async def test_takes_a_picture_that_is_quoted_from_another_chat(telegram: Connected) -> None:
    quoted = {"origin": {"type": "user", "date": 1, "sender_user": BOB}, "photo": telegram.world.photo(PNG)}
    await telegram.world.say(telegram.world.private(), "what is it?", external_reply=quoted)
    assert (await telegram.bot.hears()).pictures == (PNG,)


async def test_a_topic_is_a_place_of_its_own_and_its_beginning_is_no_reply(telegram: Connected) -> None:
    forum = telegram.world.group(forum=True)
    created = telegram.world.keep(forum, BOB, forum_topic_created={"name": "Geese", "icon_color": 0})
    topic = created["message_id"]
    await telegram.world.say(forum, "@gander_bot hi", message_thread_id=topic, is_topic_message=True, reply_to_message=created)
    incoming = (await telegram.bot.hears()).incoming
    assert (incoming.place.thread, incoming.place.channel_key, incoming.reply_to) == (str(topic), f"telegram:{forum}", None)


async def test_an_edited_caption_is_told_as_the_same_message(telegram: Connected) -> None:
    message = await telegram.world.say(telegram.world.private(), "a duck?", photo=telegram.world.photo(PNG))
    await telegram.bot.hears()
    await telegram.world.edit(message, "/ask a goose?")
    await telegram.bot.hears(2)
    asked, edited = (heard.incoming for heard in telegram.bot.heard)
    assert (edited.id, edited.edited, edited.command) == (asked.id, True, Invocation("ask", {"prompt": "a goose?"}))


async def test_a_command_for_another_bot_is_not_ours(telegram: Connected) -> None:
    group = telegram.world.group()
    for text in ("/temperature@other_bot 0.7", "/unknown", "/temperature@gander_bot 0.7"):
        await telegram.world.say(group, text)
    await telegram.bot.hears(3)
    first, second, ours = (heard.incoming for heard in telegram.bot.heard)
    assert (first.address, first.command) == (second.address, second.command) == (Address.OVERHEARD, None)
    assert ours.command is not None
    assert (ours.command.name, ours.command.options) == ("temperature", {"value": "0.7"})


async def test_a_mention_behind_an_emoji_is_found_by_its_utf16_offset(telegram: Connected) -> None:
    await telegram.world.say(telegram.world.group(), "👀🪿 @gander_bot what is 🪿?")
    incoming = (await telegram.bot.hears()).incoming
    assert (incoming.address, incoming.text) == (Address.MENTION, "👀🪿 what is 🪿?")


async def test_pain_14_no_mention_is_needed_in_private(telegram: Connected) -> None:
    await telegram.world.say(telegram.world.private(), "hello")
    assert (await telegram.bot.hears()).incoming.address is Address.PRIVATE


async def test_knows_who_manages_the_group(telegram: Connected) -> None:
    group = telegram.world.group()
    telegram.world.managers.add((group, ANN["id"]))
    for person in (ANN, BOB):
        await telegram.world.say(group, "/temperature 0.7", by=person)
    await telegram.bot.hears(2)
    assert [heard.incoming.author.manages for heard in telegram.bot.heard] == [True, False]
