"""Growing answers in private chats: drafts, the button on them, and what remains when they are stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from tests.adapters.strict.telegram.server import ApiError
from tests.adapters.strict.telegram.world import ANN
from tests.adapters.telegram.rig import Whole, whole
from tests.bot.rig import ScriptedEngine


class Turnstile(asyncio.Event):
    """Lets one word through each time it is set."""

    async def wait(self) -> Literal[True]:
        await super().wait()
        self.clear()
        return True


async def test_drafts_show_what_was_said_so_far(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda request: ("One ", "goose"), gate=Turnstile())
    async with whole(tmp_path, engine) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Hm?")
        await telegram.until(lambda: "One" in _drafted(telegram, chat))
        engine.gate.set()
        await telegram.until(lambda: "One goose" in _drafted(telegram, chat))
        engine.gate.set()
        assert await telegram.answers(chat) == ["One goose"]
    assert {draft["draft_id"] for draft in telegram.api.called("sendMessageDraft")} == {"2"}


def _drafted(telegram: Whole, chat: int) -> list[str]:
    return [draft["text"] for draft in telegram.world.drafts.get(chat, [])]


async def test_the_button_on_a_draft_ends_the_answer_and_keeps_what_was_said(tmp_path: Path) -> None:
    engine = ScriptedEngine(lambda request: ("One ", "goose"), gate=Turnstile())
    async with whole(tmp_path, engine) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Hm?")
        await telegram.until(lambda: "One" in _drafted(telegram, chat))
        draft = telegram.api.called("sendMessageDraft")[0]
        assert (draft["can_stop"], draft["keep_on_stop"]) == ("true", "true")
        stopped = {"chat": telegram.world.chats[chat], "draft_id": int(draft["draft_id"])}
        await telegram.world.tell("stopped_message_generation", stopped)
        said = await telegram.answers(chat)
        await telegram.until(lambda: not any(telegram.world.reactions.values()))
    assert [text.split() for text in said] == [["One", "Stopped."]]
    assert engine.running == 0
    assert len(telegram.said(chat)) == 1


async def test_nobody_stops_anothers_draft(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat, other = telegram.world.private(), telegram.world.private({**ANN, "id": 7})
        telegram.engine.gate.clear()
        await telegram.world.say(chat, "Mine?")
        await telegram.until(lambda: telegram.engine.running == 1)
        await telegram.world.tell("stopped_message_generation", {"chat": telegram.world.chats[other], "draft_id": 2})
        await telegram.world.say(other, "/stop", by={**ANN, "id": 7})
        assert await telegram.answers(other) == ["Nothing is being written for you here."]
        telegram.engine.gate.set()
        assert await telegram.answers(chat) == ["You asked: Mine?"]


async def test_a_server_without_drafts_shows_the_end_alone(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.api.refuse("sendMessageDraft", *[ApiError("Not Found: method not found", 404)] * 20)
        await telegram.world.say(chat, "Anyway?")
        assert await telegram.answers(chat) == ["You asked: Anyway?"]
