"""Demo mode: pictures that are answered without a mention, likes, comparisons, the summary and the export."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from PIL import Image

from bot.answer_settings import VariedSetting
from bot.commands.parser import parse_command
from bot.commands.registry import COMMANDS
from bot.message import Address, Author, Invocation, Reply
from bot.platform import EditBudget, Limits, Outgoing
from bot.store.database import sqlite_url
from bot.texts import load_texts
from engine.api import ChatRequest
from tests.bot.hostile import encode
from tests.bot.rig import Chat, Lobby, Rig, ScriptedEngine, asked, attachment, running
from tests.bot.samples import ANN, BEN, PLACE

PRESENTER = Author("web", "pat", "Pat", manages=True)
HOSTILE = "<script>alert(1)</script> \"quoted\" & 'more'"


def picture(colour: str) -> bytes:
    return encode(Image.new("RGB", (20, 10), colour), "PNG")


def reply(request: ChatRequest) -> Sequence[str]:
    """Says which settings it was asked with."""
    return (f"{asked(request)} at {request.temperature} with {request.num_beams}",)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ScriptedEngine(reply)
    engine.gate.set()
    chat = Lobby(limits=Limits(text=2_000, budget=EditBudget(1_000, 1.0)))
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        rig.core.demos.page = "http://127.0.0.1:8484"
        yield rig


def typed_command(text: str) -> Invocation | None:
    return parse_command(text, COMMANDS, load_texts())


def texts(rig: Rig) -> list[str]:
    return [message.text for message in rig.chat.messages.values()]


async def show(rig: Rig, colour: str, author: Author = ANN) -> None:
    """Post a picture without addressing the bot."""
    await rig.say("look!", author=author, address=Address.OVERHEARD, attachments=(attachment(picture(colour)),))


async def start(rig: Rig, **options: str | float) -> None:
    await rig.press("demo", author=PRESENTER, action="start", **options)  # type: ignore[arg-type]  # the tests' own words
    await rig.until(lambda: any("To warm up" in text for text in texts(rig)))


def answered(rig: Rig, words: str) -> Outgoing | None:
    return next((message for message in rig.chat.messages.values() if message.final and words in message.text and message.actions), None)


async def test_only_while_a_demo_runs_are_pictures_answered_without_a_mention(rig: Rig) -> None:
    await show(rig, "white")
    await start(rig, prompt="Funny?")
    await show(rig, "black")
    await rig.say("just talking", address=Address.OVERHEARD)
    await rig.until(lambda: answered(rig, "Funny? at") is not None)
    await rig.press("demo", author=PRESENTER, action="stop")
    await rig.until(lambda: any("That was the demo" in text for text in texts(rig)))
    await show(rig, "red")
    await rig.say("why?")
    await rig.until(lambda: any("why? at" in text for text in texts(rig)))
    assert [asked(request) for request in rig.engine.requests] == ["Funny?", "why?"]


async def test_the_wall_is_told_to_the_presenter_alone(rig: Rig) -> None:
    await start(rig)
    told = next(message for message in rig.chat.messages.values() if "/wall/" in message.text)
    assert told.private
    assert "http://127.0.0.1:8484/wall/" in told.text
    await show(rig, "white")
    await rig.until(lambda: answered(rig, "What is in this picture?") is not None)


async def test_a_demo_goes_on_after_a_restart(tmp_path: Path) -> None:
    engine, url, chat = ScriptedEngine(reply), sqlite_url(tmp_path / "gander.db"), Chat()
    engine.gate.set()
    async with running(url, tmp_path, engine, chat) as rig:
        await start(rig, prompt="Still?")
    async with running(url, tmp_path, engine, chat) as rig:
        rig.ids = count(100)  # what was said before is known
        await rig.until(lambda: rig.core.demos.running(PLACE) is not None)
        await show(rig, "white")
        await rig.until(lambda: answered(rig, "Still? at") is not None)
        assert [asked(request) for request in engine.requests] == ["Still?"]


async def test_slow_mode_tells_a_person_once_and_never_the_presenter(rig: Rig) -> None:
    await start(rig, prompt="Slow?", slow=60)
    for colour in ("white", "black", "red"):
        await show(rig, colour)
    await show(rig, "green", PRESENTER)
    await show(rig, "blue", PRESENTER)
    await show(rig, "grey", BEN)
    await rig.until(lambda: sum("Slow? at" in text for text in texts(rig)) == 4)
    assert sum("Slow mode is on: your next picture in 60 seconds" in text for text in texts(rig)) == 1


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


async def test_the_summary_counts_and_the_export_escapes_and_leaves_out_what_is_hidden(rig: Rig) -> None:
    rig.engine.reply = lambda _: (HOSTILE,)
    await start(rig, prompt="Hostile?")
    await show(rig, "white")
    await show(rig, "black", replace(BEN, name=HOSTILE))
    await rig.until(lambda: sum(HOSTILE in text for text in texts(rig)) == 2)
    liked = answered(rig, HOSTILE)
    assert liked is not None
    assert liked.answer_id is not None
    await rig.press("vote", author=BEN, answer_id=liked.answer_id)
    demo = await rig.core.walls.find(next(text for text in texts(rig) if "/wall/" in text).partition("/wall/")[2].split()[0])
    assert demo is not None
    wall = await rig.core.walls.read(demo)
    assert await rig.core.walls.hide(demo, wall.entries[0].entry.shown.question, hidden=True)
    assert not await rig.core.walls.hide(demo, 999_999, hidden=True)
    await rig.press("demo", author=PRESENTER, action="stop")
    await rig.until(lambda: any("2 pictures, 2 questions, 2 answers." in text for text in texts(rig)))
    assert any("Most liked, by 1 person" in text and "Fastest, in" in text for text in texts(rig))
    await rig.press("demo", author=PRESENTER, action="export")
    await rig.until(lambda: any(len(message.files) == 2 for message in rig.chat.messages.values()))
    page, lines = next(message.files for message in rig.chat.messages.values() if len(message.files) == 2)
    html = page.read_text("utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert html.count("data:image/png;base64,") == 1
    assert "default-src 'none'" in html
    records = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [(record["name"], record["answers"][0]["text"], record["question"]) for record in records] == [(HOSTILE, HOSTILE, "Hostile?")]


async def test_beams_are_compared_as_rows_that_an_engine_must_have_free(rig: Rig) -> None:
    varied = VariedSetting("beams", (1, 3, 5))
    incoming = await rig.say("hello")
    await rig.core.compare(replace(incoming, id="c1"), "what is it?", varied)
    await rig.until(lambda: answered(rig, "beams 5") is not None)
    assert sorted(request.num_beams or 0 for request in rig.engine.requests[1:]) == [1, 3, 5]


async def test_a_follow_up_stands_on_the_wall_with_the_picture_that_it_is_about(rig: Rig) -> None:
    await start(rig, prompt="What?")
    await show(rig, "white")
    await rig.until(lambda: answered(rig, "What? at") is not None)
    await rig.say("and why?")
    await rig.until(lambda: answered(rig, "and why? at") is not None)
    await rig.say("unrelated", reply_to=Reply("nobody's", BEN))
    await rig.until(lambda: answered(rig, "unrelated at") is not None)
    demo = rig.core.demos.running(PLACE)
    assert demo is not None
    first, follow_up, unrelated = (each.entry.shown for each in (await rig.core.walls.read(demo)).entries)
    assert follow_up.pictures == first.pictures != ()
    assert unrelated.pictures == ()


async def test_a_demo_moves_with_its_channel(rig: Rig) -> None:
    await start(rig, prompt="Moved?")
    await rig.core.moved(PLACE, replace(PLACE, channel="meadow"))
    assert rig.core.demos.running(PLACE) is None
    assert rig.core.demos.running(replace(PLACE, channel="meadow")) is not None


async def test_an_export_that_no_message_takes_is_downloaded(rig: Rig) -> None:
    rig.chat.limits = replace(rig.chat.limits, file_bytes=1_000)
    await start(rig)
    await show(rig, "white")
    await rig.until(lambda: answered(rig, "What is in this picture?") is not None)
    for page, told in (("http://127.0.0.1:8484", "/export/"), ("", "the web page is off")):
        rig.core.demos.page = page
        await rig.press("demo", author=PRESENTER, action="export")
        await rig.until(lambda told=told: any(told in text and ".jsonl" in text for text in texts(rig)))  # type: ignore[misc]  # bound now
    assert not any(len(message.files) == 2 for message in rig.chat.messages.values())


async def test_a_demo_ends_with_its_summary_though_the_disk_takes_no_export(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("no folder can be made here")
    await start(rig)
    await rig.press("demo", author=PRESENTER, action="stop")
    await rig.until(lambda: any("That was the demo" in text for text in texts(rig)))
    assert any("can't write the demo's files" in text for text in texts(rig))


async def test_the_footer_of_a_comparison_says_nothing_that_its_columns_say_otherwise(rig: Rig) -> None:
    for name, value in (("temperature", "0.5"), ("top_p", "0.9")):
        await rig.press("settings", name=name, value=value, scope="me")
    await rig.press("compare", temperature="0.2,1.5", prompt="why?")
    await rig.until(lambda: any("**temperature 0.2**" in said for said in rig.chat.finals()))
    [compared] = [each for each in rig.chat.messages.values() if "**temperature 0.2**" in each.text]
    assert "**temperature 1.5**" in compared.text
    assert compared.footer == "top_p 0.9"
