"""Demo mode: pictures that are answered without a mention, likes, comparisons, the summary and the export."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.answer_settings import VariedSetting
from bot.command_registry import COMMANDS
from bot.commands.parser import parse_command
from bot.message import Address, Invocation
from bot.texts import load_texts
from tests.bot.demo.room import answered, picture, show, start, texts
from tests.bot.rig import Rig, attachment
from tests.bot.samples import ANN, BEN


def typed_command(text: str) -> Invocation | None:
    return parse_command(text, COMMANDS, load_texts())


async def test_the_wall_is_told_to_the_presenter_alone(rig: Rig) -> None:
    await start(rig)
    told = next(message for message in rig.chat.messages.values() if "/wall/" in message.text)
    assert told.private
    assert "http://127.0.0.1:8484/wall/" in told.text
    await show(rig, "white")
    await rig.until(lambda: answered(rig, "What is in this picture?") is not None)


async def test_samples_are_offered_with_questions_that_anybody_may_press(rig: Rig) -> None:
    await start(rig)
    await rig.until(lambda: sum(bool(message.files) for message in rig.chat.messages.values()) == 3)
    shapes = next(message for message in rig.chat.messages.values() if message.text == "Some shapes")
    assert [action.label for action in shapes.actions] == ["How many circles are there?", "Describe the picture."]
    assert all(len(action.command.encode()) <= 64 for message in rig.chat.messages.values() for action in message.actions)
    await rig.press("ask", author=BEN, sample=shapes.actions[0].command.rpartition("sample:")[2])
    await rig.until(lambda: answered(rig, "How many circles are there? at") is not None)
    assert "data:image/" in str(rig.engine.requests[0])


async def test_a_vote_counts_once_a_person_and_can_be_taken_back(rig: Rig) -> None:
    await start(rig, prompt="Nice?")
    await show(rig, "white")
    await rig.until(lambda: answered(rig, "Nice?") is not None)
    liked = answered(rig, "Nice?")
    assert liked is not None
    assert liked.answer_id is not None
    for author in (ANN, BEN, BEN, BEN):
        await rig.press("vote", author=author, answer_id=liked.answer_id, column=1)

    def votes() -> str:
        message = answered(rig, "Nice?")
        return message.actions[0].label if message else ""

    await rig.until(lambda: votes() == "👍 · 2")
    await rig.press("vote", author=ANN, answer_id=liked.answer_id, column=1)
    await rig.until(lambda: votes() == "👍 · 1")
    await rig.press("vote", author=ANN)
    await rig.until(lambda: any("Your vote counts" in text for text in texts(rig)) and votes() == "👍 · 2")
    await rig.press("vote", author=ANN, answer_id=liked.answer_id, column=7)
    await rig.press("vote", author=ANN, answer_id=999_999)
    await rig.until(lambda: sum("find that answer" in text or "goes" in text or "from 1 to 6" in text for text in texts(rig)) == 2)


async def test_a_comparison_is_one_question_in_one_message_with_a_vote_for_each_column(rig: Rig) -> None:
    goose = attachment(picture("white"))
    rig.engine.gate.clear()
    await rig.say(
        address=Address.COMMAND,
        command=typed_command("/compare temperature:0.2,1.0,1.8 what is it?"),
        attachments=(goose,),
    )
    await rig.until(lambda: rig.engine.running == 3)  # all columns at once: the engine takes them into one batch
    rig.engine.gate.set()
    await rig.until(lambda: answered(rig, "temperature 1.8") is not None)
    message = answered(rig, "temperature 1.8")
    assert message is not None
    assert [(column.label, column.text) for column in message.columns] == [
        (f"temperature {value:g}", f"what is it? at {value} with 1") for value in (0.2, 1.0, 1.8)
    ]
    assert [action.label for action in message.actions] == ["👍 temperature 0.2", "👍 temperature 1", "👍 temperature 1.8"]
    assert len({request.prompt_cache_key for request in rig.engine.requests}) == 1
    assert message.answer_id is not None
    await rig.press("vote", author=BEN, answer_id=message.answer_id, column=3)
    await rig.press("vote", author=BEN, answer_id=message.answer_id, column=2)

    def labels() -> list[str]:
        found = answered(rig, "temperature 1.8")
        return [action.label for action in found.actions] if found else []

    await rig.until(lambda: labels() == ["👍 temperature 0.2", "👍 temperature 1 · 1", "👍 temperature 1.8"])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/compare what is it?", "Name one setting"),
        ("/compare temperature:1 what?", "2 to 6 different values"),
        ("/compare temperature:0.1,0.2,0.3,0.4,0.5,0.6,0.7 what?", "2 to 6 different values"),
        ("/compare temperature:0.2,9 what?", "from 0 to 2"),
        ("/compare beams:1,2", "Ask me something"),
    ],
)
async def test_what_can_t_be_compared_is_said(rig: Rig, typed: str, told: str) -> None:
    await rig.say(address=Address.COMMAND, command=typed_command(typed))
    await rig.until(lambda: any(told in text for text in texts(rig)))
    assert not rig.engine.requests


async def test_beams_are_compared_as_rows_that_an_engine_must_have_free(rig: Rig) -> None:
    varied = VariedSetting("beams", (1, 3, 5))
    incoming = await rig.say("hello")
    await rig.core.actions.compare(replace(incoming, id="c1"), "what is it?", varied)
    await rig.until(lambda: answered(rig, "beams 5") is not None)
    assert sorted(request.num_beams or 0 for request in rig.engine.requests[1:]) == [1, 3, 5]


async def test_the_footer_of_a_comparison_says_nothing_that_its_columns_say_otherwise(rig: Rig) -> None:
    for name, value in (("temperature", "0.5"), ("top_p", "0.9")):
        await rig.press("settings", name=name, value=value, scope="me")
    await rig.press("compare", temperature="0.2,1.5", prompt="why?")
    await rig.until(lambda: any("**temperature 0.2**" in said for said in rig.chat.finals()))
    [compared] = [each for each in rig.chat.messages.values() if "**temperature 0.2**" in each.text]
    assert "**temperature 1.5**" in compared.text
    assert compared.footer == "top_p 0.9"
