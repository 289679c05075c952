"""`/steps` with a whole bot: the model's program, a ready-made one, and the plain answer where neither gives one."""

from __future__ import annotations

from pathlib import Path

from bot.errors import EngineRefused
from bot.steps.writing import TASK
from bot.store.database import sqlite_url
from engine.api import ChatRequest
from tests.bot.looking.test_closer import SharpEngine, hues, scene, shown
from tests.bot.rig import asked, attachment, running
from tests.bot.samples import PLACE

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
        assert remembered.steps == answer.steps
        await rig.press("steps", prompt="Where is the red thing?")  # the model writes none
        await rig.finals(3)
        assert "ready-made" in rig.chat.answer("upper left").footer
        await rig.press("steps", prompt="Why is it red?")
        await rig.finals(4)
        assert "Answered without steps" in [message for message in rig.chat.messages.values() if message.text == "plain"][-1].footer
