"""What Telegram tells besides messages with words and pictures: taken calmly, and nothing after it is held up."""

from __future__ import annotations

import pytest

from bot.message import Address, Invocation
from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.world import ANN, Json
from tests.adapters.telegram.rig import Connected

CHANNEL: Json = {"id": -100_9, "type": "channel", "title": "News"}
ODD: dict[str, Json] = {
    "a dice": {"dice": {"emoji": "🎲", "value": 3}},
    "a place on the map": {"location": {"latitude": 1.0, "longitude": 2.0}},
    "a contact": {"contact": {"phone_number": "1", "first_name": "Eve"}},
    "a voice message": {"voice": {"file_id": "v", "file_unique_id": "v", "duration": 1}},
    "a story": {"story": {"chat": CHANNEL, "id": 1}},
    "a poll": {
        "poll": {
            "id": "1",
            "question": "?",
            "options": [],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": False,
            "members_only": False,
        }
    },
    "a new title": {"new_chat_title": "Ducks"},
    "somebody who joined": {"new_chat_members": [ANN]},
    "a pinned message": {"pinned_message": {"message_id": 1, "date": 0, "chat": CHANNEL}},
    "a reply to something inaccessible": {"text": "?", "reply_to_message": {"message_id": 1, "date": 0, "chat": CHANNEL}},
    "a reply to a story": {"text": "?", "reply_to_story": {"chat": CHANNEL, "id": 1}},
    "a post of the group's channel": {"text": "News", "sender_chat": CHANNEL, "is_automatic_forward": True},
    "something that Telegram invents next year": {"hologram": {"depth": 3}},
}
SERVICE = {"new_chat_title", "new_chat_members", "pinned_message", "hologram"}  # said by nobody: not handed to the bot


@pytest.mark.parametrize("private", [True, False], ids=["private", "group"])
async def test_odd_messages_hold_up_nothing(telegram: Connected, private: bool) -> None:
    chat = telegram.world.private() if private else telegram.world.group()
    for odd in ODD.values():
        await telegram.world.tell("message", telegram.world.keep(chat, ANN, **odd))
    await telegram.world.say(chat, "@gander_bot still there?")
    said = sum(bool(odd.keys() - SERVICE) for odd in ODD.values())
    last = (await telegram.bot.hears(said + 1)).incoming
    assert (last.text, last.address) == ("still there?", Address.PRIVATE if private else Address.MENTION)
    assert all(heard.pictures == () for heard in telegram.bot.heard)


@pytest.mark.parametrize("told", [{}, {"chat": {}}, {"chat": {"id": 1}, "draft_id": "two"}, {"chat": None, "draft_id": 1}, 7])
async def test_an_update_that_nobody_can_read_holds_up_nothing(telegram: Connected, told: Json | int) -> None:
    await telegram.world.tell("stopped_message_generation", told)  # type: ignore[arg-type]  # no Json, on purpose
    await telegram.world.say(telegram.world.private(), "still there?")
    assert (await telegram.bot.hears()).incoming.text == "still there?"


async def test_an_anonymous_manager_and_a_channel_are_who_they_write_as(telegram: Connected) -> None:
    group = telegram.world.group()
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    await telegram.world.say(group, "/temperature 0.7", by=anonymous, sender_chat=telegram.world.chats[group])
    await telegram.world.say(group, "/temperature 0.7", by={**anonymous, "id": 136817688}, sender_chat=CHANNEL)
    await telegram.bot.hears(2)
    manager, channel = (heard.incoming.author for heard in telegram.bot.heard)
    assert (manager.id, manager.manages, manager.is_bot) == (str(group), True, False)
    assert (channel.id, channel.manages, channel.name) == (str(CHANNEL["id"]), False, "News")


async def test_a_press_counts_under_a_message_that_is_no_longer_told_and_not_in_no_chat(telegram: Connected) -> None:
    chat = telegram.world.private()
    gone = {"message_id": 5, "date": 0, "chat": telegram.world.chats[chat]}
    press = {"id": "1", "from": ANN, "chat_instance": "1"}
    for query in (
        {"data": "/again answer_id:1", "message": gone},
        {"data": "/again answer_id:1", "inline_message_id": "x"},
        {"game_short_name": "g"},
    ):
        await telegram.world.tell("callback_query", {**press, **query})
    await telegram.world.say(chat, "next", photo=telegram.world.photo(PNG))
    await telegram.bot.hears(2)
    pressed, after = (heard.incoming for heard in telegram.bot.heard)
    assert (pressed.command, pressed.place.channel) == (Invocation("again", {"answer_id": 1}), str(chat))
    assert after.text == "next"
    assert len(telegram.api.called("answerCallbackQuery")) == 2  # the bot, which nobody plays here, answers the other
