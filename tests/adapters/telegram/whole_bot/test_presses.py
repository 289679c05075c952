"""What the bot has to say to a pressed button is said in the press: a group does not read it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from adapters.telegram.platform import pressable
from bot.delivery.message_diff import ELLIPSIS
from bot.message import Place
from bot.platform import Action, Outgoing
from tests.adapters.strict.telegram.server import ApiError
from tests.adapters.strict.telegram.world import ANN, BOB, ME, Json
from tests.adapters.telegram.rig import Whole, connected, whole

STRANGERS = [BOB | {"id": 2000 + number, "first_name": f"Stranger {number}", "language_code": "en"} for number in range(4)]
PRESSES = ("/stop answer_id:{}", "/again answer_id:{}", "/continue answer_id:{}", "/settings answer_id:{}", "/vote column:9 answer_id:{}")


def told(telegram: Whole) -> list[str]:
    """What was said in presses."""
    return [each.get("text", "") for each in telegram.api.called("answerCallbackQuery")]


def answer_in(message: Json) -> str:
    """The number of the answer whose buttons stand there."""
    return str(message["reply_markup"]).partition("answer_id:")[2].partition("'")[0]


async def answered(telegram: Whole, group: int) -> Json:
    await telegram.world.say(group, "@gander_bot a goose?")
    await telegram.until(lambda: any("/again" in str(each) for each in telegram.said(group)))
    return telegram.said(group)[0]


async def test_twenty_presses_of_strangers_put_nothing_into_the_group(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        answer = await answered(telegram, group)
        for stranger in STRANGERS:
            for press in PRESSES:
                await telegram.world.press(group, answer["message_id"], press.format(answer_in(answer)), by=stranger)
        await telegram.until(lambda: len(told(telegram)) == 20)
        assert len(telegram.said(group)) == 1
        assert all(told(telegram))
        assert len({each["callback_query_id"] for each in telegram.api.called("answerCallbackQuery")}) == 20
        assert any("for somebody else" in each for each in told(telegram))
        await telegram.world.say(group, "@gander_bot and now?")
        await telegram.until(lambda: any(each["text"] == "You asked: and now?" for each in telegram.said(group)))


async def test_an_answer_that_comes_before_its_press_was_acknowledged_is_a_message() -> None:
    async with connected() as telegram:
        group = telegram.world.group()
        sample = telegram.world.keep(group, ME, caption="Some shapes")
        await telegram.world.press(group, sample["message_id"], "/ask sample:shapes.circles")
        [query] = telegram.world.queries
        place = Place("telegram", str(group))
        begun = Outgoing(ELLIPSIS, answer_id=1, final=False)
        name = await telegram.platform.send(place, begun, reply_to=f"{sample['message_id']}.{query}", nonce="n")
        await telegram.platform.edit(place, name, Outgoing("Three circles.", answer_id=1))
        assert telegram.world.messages[group, int(name)]["text"] == "Three circles."


async def test_a_picture_that_a_press_asked_for_is_a_message_since_a_pop_up_holds_none(tmp_path: Path) -> None:
    file = tmp_path / "how.png"
    Image.new("RGB", (20, 10)).save(file)
    async with connected() as telegram:
        group = telegram.world.group()
        sample = telegram.world.keep(group, ME, text="A goose.")
        await telegram.world.press(group, sample["message_id"], "/how answer_id:1")
        [query] = telegram.world.queries
        shown = Outgoing("It looked mostly at the left.", files=(file,))
        name = await telegram.platform.send(Place("telegram", str(group)), shown, reply_to=f"{sample['message_id']}.{query}", nonce="n")
        kept = telegram.world.messages[group, int(name)]
        assert kept["caption"] == "It looked mostly at the left."
        assert len(telegram.api.called("sendPhoto")) == 1
        assert [each.get("text", "") for each in telegram.api.called("answerCallbackQuery")] == [""]


async def test_a_press_that_leads_to_an_answer_waits_no_more_and_says_nothing(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        answer = await answered(telegram, group)
        await telegram.world.press(group, answer["message_id"], f"/again answer_id:{answer_in(answer)}", by=ANN)
        await telegram.until(lambda: len(telegram.said(group)) == 2)
        await telegram.until(lambda: told(telegram) == [""])


async def test_the_press_of_one_who_asked_is_confirmed_in_the_press(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        for chat in (telegram.world.group(), telegram.world.private()):
            answer = await answered(telegram, chat)
            before, said = len(told(telegram)), len(telegram.said(chat))
            await telegram.world.press(chat, answer["message_id"], f"/stop answer_id:{answer_in(answer)}", by=ANN)
            await telegram.until(lambda before=before: len(told(telegram)) == before + 1)  # type: ignore[misc]  # bound now
            assert told(telegram)[-1] == "Nothing is being written for you here."
            assert len(telegram.said(chat)) == said


async def test_a_press_of_long_ago_is_answered_in_private_alone(tmp_path: Path) -> None:
    """After half a minute or so Telegram takes no answer in the press."""
    late = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    async with whole(tmp_path) as telegram:
        for chat, more in ((telegram.world.group(), 0), (telegram.world.private(), 1)):
            answer = await answered(telegram, chat)
            telegram.api.refuse("answerCallbackQuery", ApiError(late))
            said, asked = len(telegram.said(chat)), len(told(telegram))
            await telegram.world.press(chat, answer["message_id"], f"/stop answer_id:{answer_in(answer)}", by=ANN)
            await telegram.until(lambda asked=asked: len(told(telegram)) > asked)  # type: ignore[misc]  # bound now
            await telegram.world.say(chat, "@gander_bot next?")
            await telegram.until(lambda chat=chat: any(each["text"] == "You asked: next?" for each in telegram.said(chat)))  # type: ignore[misc]
            assert len(telegram.said(chat)) == said + more + 1


def test_what_no_button_takes_is_written_out() -> None:
    """Telegram refuses a whole message for one button of more than 64 bytes: the command would be answered by silence."""
    short, long = Action("Yes", "/forget confirm:yes"), Action("Yes, all", f"/forget confirm:yes person:{'9' * 38} asker:1234567890")
    shown = pressable(Outgoing("Really?", actions=(short, long)))
    assert shown.actions == (short,)
    assert shown.text == f"Really?\nYes, all: {long.command}"
