"""What a question costs of the database: each transaction is a switch of threads, and a wait for whatever is written just then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.delivery import sender
from bot.dispatch import dispatcher
from bot.message import Address, Author, Place, Reply
from bot.platform import EditBudget, Limits, Outgoing
from tests.bot.rig import GOOSE, Chat, Rig, ScriptedEngine, attachment, echo, running
from tests.bot.samples import PLACE
from tests.bot.watched_database import WatchedDatabase

BEFORE, AFTER = 4, 2  # transactions, at most: until the engine is asked, and from there to the end of its answer


PLENTY, ONE = EditBudget(1_000, 1.0), EditBudget(1, 0.01)
GROUP = Limits(text=200, budget=PLENTY, ends_directly=True, reacts=True, chains=True)  # as Telegram's are: a repeated send is shown twice


@dataclass
class Drafts(Chat):
    """A chat whose answers grow in drafts where one person is alone with the bot."""

    private_limits: Limits = field(default_factory=lambda: replace(GROUP, draft_seconds=30.0))

    async def show_draft(self, place: Place, answer: int, message: Outgoing) -> None: ...


CHATS: dict[str, Callable[[], Chat]] = {
    "repeats are shown once": lambda: Chat(limits=Limits(text=200, budget=PLENTY, deduplicates=True)),
    "a group": lambda: Drafts(limits=GROUP),
    "a group without room for growing answers": lambda: Drafts(limits=replace(GROUP, budget=ONE)),
    "alone with the bot": lambda: Drafts(limits=GROUP),
}


@pytest.mark.parametrize("name", CHATS)
async def test_a_question_costs_four_transactions_at_most_before_the_engine_is_asked_and_two_after(
    name: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 3_600.0)  # a look that is due by the clock is no question's
    monkeypatch.setattr(sender, "FRESH_SECONDS", 3_600.0)  # as if the machine were not busy
    seen: list[str] = []
    here: dict[str, Any] = {"place": replace(PLACE, private=True)} if name == "alone with the bot" else {}
    engine, chat = ScriptedEngine(echo), CHATS[name]()
    async with running(database_url, tmp_path, engine, chat, watched=lambda database: WatchedDatabase(database, seen)) as rig:
        engine.gate.set()
        await rig.say("what is it?", attachments=(attachment(GOOSE),), **here)  # the first one's look at the queue is the start's
        await rig.finals(1)
        first = next(iter(chat.messages))
        questions: dict[str, dict[str, object]] = {
            "words": here,
            "a picture": {"attachments": (attachment(GOOSE),), **here},
            "a reply": {"address": Address.REPLY, "reply_to": Reply(first, is_ours=True), **here},
            "a stranger in a new place": {"author": Author("web", "eve", "Eve"), "place": Place("web", "elsewhere", server="s")},
        }
        for question, asking in questions.items():
            before, after = await cost(rig, seen, asking)
            assert len(before) <= BEFORE, (question, before)
            assert len(after) <= AFTER, (question, after)


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
