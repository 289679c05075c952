"""`/steps` with a whole bot: the model's program, a ready-made one, and the plain answer where neither gives one."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from bot.errors import EngineRefused
from bot.message import Address, Invocation
from bot.steps.writing import TASK
from bot.store.database import sqlite_url
from engine.api import ChatRequest
from tests.bot.demo.room import start
from tests.bot.looking.test_closer import SharpEngine, hues, scene, shown
from tests.bot.rig import asked, attachment, pictures, running
from tests.bot.samples import ANN, PLACE

PROGRAM = '{"program": ["reds = find(picture, \\"red squares\\")", "number = count(reds)"], "answer": "number"}'


def model(request: ChatRequest) -> list[str | Exception]:
    """Writes a program where it is asked for one about squares, counts red squares, and says plainly what else it is asked."""
    question = asked(request)
    if question.startswith(TASK):
        return [PROGRAM if "squares" in question.removeprefix(TASK) else EngineRefused("no schema, please")]
    if question.startswith("How many"):
        return [f"There are {int('red' in hues(shown(request)[-1]))}."]
    return ["plain"]


async def test_steps_are_answered_shown_kept_and_fall_back(tmp_path: Path) -> None:
    engine = SharpEngine(model)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        await rig.say("Look.", attachments=(attachment(scene()),))
        await rig.finals(1)
        await rig.press("steps", prompt="How many red squares are there?")
        await rig.finals(2)
        answer = rig.chat.answer("1")
        assert answer.steps.splitlines() == [
            'reds = find(picture, "red squares")  → upper left: 1',
            "number = count(reds)  → 1",
            "answer(number)",
        ]
        assert "a program of the model's" in answer.footer
        assert len(engine.requests) == 1 + 1 + 9
        [*_, remembered] = await rig.core.history(PLACE)
        assert (remembered.steps, remembered.steps_sheet) == (answer.steps, answer.steps_sheet)
        await rig.press("steps", prompt="Where is the red thing?")  # the model writes none
        await rig.finals(3)
        assert "ready-made" in rig.chat.answer("upper left").footer
        await rig.press("steps", prompt="Why is it red?")
        await rig.finals(4)
        assert "Answered without steps" in [message for message in rig.chat.messages.values() if message.text == "plain"][-1].footer
        assert pictures(engine.requests[-1]) == 1  # what steps looked at is for people


async def test_what_the_steps_looked_at_is_kept_shown_and_goes_with_the_picture(tmp_path: Path) -> None:
    engine = SharpEngine(model)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        await start(rig)
        demo = rig.core.demos.running(PLACE)
        assert demo is not None
        told = Invocation("steps", {"prompt": "How many red squares are there?"})
        await rig.say(attachments=(attachment(scene()),), address=Address.COMMAND, command=told)
        await rig.until(lambda: any(message.final and message.text == "1" for message in rig.chat.messages.values()))
        answer, [entry] = rig.chat.answer("1"), (await rig.core.walls.read(demo)).entries
        assert answer.steps_seen.split(", ")[::4] == ["upper left", "middle", "lower right"]
        with Image.open(rig.files.path(answer.steps_sheet)) as sheet:
            parts = [sheet.convert("RGB").crop((at, at, at + 320, at + 320)) for at in (8, 664)]
        bands = [[band.tobytes() for band in part.split()] for part in parts]
        red = [sum(r > 200 > 60 > max(g, b) for r, g, b in zip(*each, strict=True)) for each in bands]
        assert red[0] > 1_000 > red[1]
        [how] = [action.command for action in answer.actions if action.command.startswith("/how")]
        assert how == f"/how answer_id:{answer.answer_id}"
        assert entry.entry.shown.trace is not None
        assert await rig.core.walls.shows_picture(demo, answer.steps_sheet)
        await rig.core.walls.hide(demo, entry.entry.shown.question, True)
        assert not await rig.core.walls.shows_picture(demo, answer.steps_sheet)
        await rig.press("how", answer_id=answer.answer_id or 0)
        await rig.until(lambda: any(message.alt == answer.steps_seen for message in rig.chat.messages.values()))
        [told_how] = [message for message in rig.chat.messages.values() if message.alt == answer.steps_seen]
        assert "number = count(reds)" in told_how.text
        assert told_how.files[0].read_bytes() == rig.files.path(answer.steps_sheet).read_bytes()
        await rig.press("forget", asker=ANN.id)
        await rig.until(lambda: any("Done. Deleted" in text for text in rig.chat.finals()))
        assert not rig.files.path(answer.steps_sheet).exists()
