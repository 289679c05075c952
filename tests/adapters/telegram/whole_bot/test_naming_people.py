"""Whom a command is about on Telegram: never guessed from a name; an id, a mention that holds one, or who is replied to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.strict.telegram.world import ANN, Json
from tests.adapters.telegram.rig import Whole, whole

KEEPER: Json = {"id": 7, "is_bot": False, "first_name": "Kim", "language_code": "en"}
VICTIM: Json = {"id": 42, "is_bot": False, "first_name": "Vic", "language_code": "en"}


async def prepared(telegram: Whole) -> int:
    group = telegram.world.group()
    telegram.world.managers.add((group, KEEPER["id"]))
    for number, person in enumerate((VICTIM, ANN), start=1):
        await telegram.world.say(group, f"@gander_bot {person['first_name']} asks", by=person)
        await telegram.answers(group, number)
    return group


def naming(text: str, name: str, person: Json) -> Json:
    """A text in which a person without a user name is named, as Telegram tells it."""
    before = text[: text.index(name)]
    command = {"type": "bot_command", "offset": 0, "length": len(text.split()[0])}
    at = len(before.encode("utf-16-le")) // 2
    return {"entities": [command, {"type": "text_mention", "offset": at, "length": len(name.encode("utf-16-le")) // 2, "user": person}]}


@pytest.mark.parametrize("name", ["@ann42", "@42", "42nd", "Vic", "id:42", "9" * 38, "@"])
async def test_a_name_with_digits_is_nobody(tmp_path: Path, name: str) -> None:
    async with whole(tmp_path) as telegram:
        group = await prepared(telegram)
        await telegram.world.say(group, f"/forget person:{name} confirm:yes", by=KEEPER)
        assert "names nobody for sure: Telegram tells me no one" in (await telegram.answers(group, 3))[-1]
        await telegram.world.say(group, f"/setup rule:allow person:{name}", by=KEEPER)
        assert "names nobody for sure" in (await telegram.answers(group, 4))[-1]
        await telegram.world.say(group, "@gander_bot still let in?", by=ANN)
        assert "still let in?" in (await telegram.answers(group, 5))[-1]


async def test_a_person_is_named_by_id_by_a_mention_that_holds_it_and_by_a_reply(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = await prepared(telegram)
        hers = next(each for (_, _), each in telegram.world.messages.items() if each["from"] == VICTIM)
        text = "/forget person:Ann 🦆 Lee"
        mention = naming(text, "Ann 🦆 Lee", VICTIM)
        await telegram.world.say(group, "/forget person:42", by=KEEPER)
        await telegram.world.say(group, "/forget person:reply", by=KEEPER, reply_to_message=hers)
        await telegram.world.say(group, text, by=KEEPER, **mention)
        shown = (await telegram.answers(group, 5))[-3:]
        assert all("keep of Vic (1) in this chat, with my answers, for good: 2 messages, 0 pictures." in each for each in shown)
        ours = telegram.said(group)[0]
        await telegram.world.say(group, "/forget person:reply", by=KEEPER, reply_to_message=ours)
        await telegram.world.say(group, "/forget person:reply", by=KEEPER)
        assert all("reply to a message that this person wrote" in each for each in (await telegram.answers(group, 7))[-2:])
        assert all(len(data.encode()) <= 64 for data in _buttons(telegram, group))


async def test_a_name_in_a_question_stays_a_name(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        text = "/ask what does Vic see? Vic!"
        await telegram.world.say(group, text, by=ANN, **naming(text, "Vic", VICTIM))
        assert (await telegram.answers(group))[0] == "You asked: what does Vic see? Vic!"


async def test_the_button_deletes_what_was_shown(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = await prepared(telegram)
        await telegram.world.say(group, "/forget person:42 confirm:yes", by=KEEPER)
        await telegram.answers(group, 3)
        [data] = [each for each in _buttons(telegram, group) if each.startswith("/forget")]
        message = telegram.said(group)[-1]["message_id"]
        await telegram.world.press(group, message, data, by=KEEPER)
        await telegram.until(lambda: "Deleted: 2 messages" in str(telegram.api.called("answerCallbackQuery")))
        await telegram.world.say(group, "/forget person:42", by=KEEPER)
        await telegram.until(lambda: any("nothing here of a person with the id 42" in each["text"] for each in telegram.said(group)))


def _buttons(telegram: Whole, group: int) -> list[str]:
    markups = [each["reply_markup"]["inline_keyboard"] for each in telegram.said(group) if "reply_markup" in each]
    return [button["callback_data"] for rows in markups for row in rows for button in row]
