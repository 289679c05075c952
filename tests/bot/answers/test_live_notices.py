"""Places in line, in waiting messages and in the answer to /queue, move as the line moves, within the channel's budget."""

from __future__ import annotations

from pathlib import Path

from bot.message import Author
from bot.platform import EditBudget, Limits
from bot.store.database import sqlite_url
from tests.bot.rig import Chat, ScriptedEngine, echo, running
from tests.bot.samples import ANN, BEN

CY = Author("web", "cy", "Cy")


async def test_waiting_messages_and_the_queue_move_as_the_line_moves(tmp_path: Path) -> None:
    engine, chat = ScriptedEngine(echo, rows=1), Chat(limits=Limits(text=500, budget=EditBudget(6, 2.0)))

    def says(words: str) -> bool:
        return any(words in message.text for message in chat.messages.values())

    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        await rig.say("first", author=ANN)
        await rig.until(lambda: engine.running == 1)
        await rig.say("second", author=BEN)
        await rig.say("third", author=CY)
        await rig.until(lambda: says("You are number 2 in line"))
        await rig.press("queue", author=CY)
        await rig.until(lambda: says("Yours is number 2 in line"))
        await rig.press("queue", author=CY)  # from now on the newer one moves alone
        await rig.until(lambda: sum("Yours is number" in message.text for message in chat.messages.values()) == 2)
        older, queue = (name for name, message in chat.messages.items() if "Yours is number" in message.text)
        await rig.press("stop", author=ANN)
        await rig.until(lambda: "Yours is number 1 in line" in chat.messages[queue].text)
        assert "Yours is number 2 in line" in chat.messages[older].text
        await rig.until(lambda: not says("You are number 2 in line"))
        engine.gate.set()
        await rig.until(
            lambda: chat.messages[queue].text == "Nobody is waiting. Ask away!" or "being answered" in chat.messages[queue].text
        )
        await rig.until(lambda: says("You asked: third"))
    spent = chat.calls
    assert all(sum(at <= later < at + 2.0 for later in spent) <= 6 for at in spent)
    assert len(engine.requests) == 3
