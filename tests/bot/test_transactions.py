"""What a question costs of the database: each transaction is a switch of threads, and a wait for whatever is written just then."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.dispatch import dispatcher
from bot.message import Address, Author, Place, Reply
from bot.platform import EditBudget, Limits
from tests.bot.rig import GOOSE, Chat, Rig, ScriptedEngine, attachment, echo, running
from tests.bot.watched_database import WatchedDatabase

BEFORE, AFTER = 4, 2  # transactions, at most: until the engine is asked, and from there to the end of its answer


async def test_a_question_costs_four_transactions_at_most_before_the_engine_is_asked_and_two_after(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 3_600.0)  # a look that is due by the clock is no question's
    seen: list[str] = []
    engine, chat = ScriptedEngine(echo), Chat(limits=Limits(text=200, budget=EditBudget(1_000, 1.0), deduplicates=True))
    async with running(database_url, tmp_path, engine, chat, watched=lambda database: WatchedDatabase(database, seen)) as rig:
        engine.gate.set()
        await rig.say("what is it?", attachments=(attachment(GOOSE),))  # the first one's look at the queue is the start's
        await rig.finals(1)
        first = next(iter(chat.messages))
        questions: dict[str, dict[str, object]] = {
            "words": {},
            "a picture": {"attachments": (attachment(GOOSE),)},
            "a reply": {"address": Address.REPLY, "reply_to": Reply(first, is_ours=True)},
            "a stranger in a new place": {"author": Author("web", "eve", "Eve"), "place": Place("web", "elsewhere", server="s")},
        }
        for name, asking in questions.items():
            before, after = await cost(rig, seen, asking)
            assert len(before) <= BEFORE, (name, before)
            assert len(after) <= AFTER, (name, after)


async def cost(rig: Rig, seen: list[str], asking: dict[str, object]) -> tuple[list[str], list[str]]:
    """The names of one question's transactions before the engine has it, and after."""
    rig.engine.gate.clear()
    seen.clear()
    ended = len(rig.chat.finals())
    await rig.say("what is it good for?", **asking)  # type: ignore[arg-type]  # as the rig takes them
    await rig.until(lambda: rig.engine.running == 1)
    before = seen.copy()
    seen.clear()
    rig.engine.gate.set()
    await rig.finals(ended + 1)
    await rig.until(lambda: rig.engine.running == 0)
    return before, seen.copy()
