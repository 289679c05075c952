"""Telegram with a whole bot on it: what people see of answers, under load and under Telegram's limits."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Literal

import pytest

from adapters.telegram.platform import TelegramPlatform
from adapters.web import adapter as web
from bot.answers.presentation import AnswerView
from bot.platform import EditBudget
from tests.adapters.strict.telegram.server import ApiError
from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import Whole, whole
from tests.adapters.web.browserless import Visitor
from tests.bot.rig import UNHURRIED, ScriptedEngine

BRISK = EditBudget(edits=19, seconds=1.0)


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group's minute lasts a second, for the bot and for the server."""
    limits = TelegramPlatform.limits
    monkeypatch.setattr(TelegramPlatform, "limits", replace(limits, budget=BRISK))


@pytest.fixture
def no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a machine takes to hear all questions, those who asked first are not shown their place in line meanwhile."""
    monkeypatch.setattr(AnswerView, "show_position", lambda *_: None)


async def test_a_private_answer_grows_as_a_draft_and_ends_as_a_message(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        telegram.engine.gate.clear()
        chat = telegram.world.private()
        question = await telegram.world.say(chat, "How many geese?")
        await telegram.until(lambda: bool(telegram.world.reactions) and bool(telegram.api.called("sendChatAction")))
        assert telegram.world.reactions[chat, question["message_id"]] == [{"type": "emoji", "emoji": "👀"}]
        telegram.engine.gate.set()
        assert await telegram.answers(chat) == ["You asked: How many geese?"]
        await telegram.until(lambda: telegram.world.reactions[chat, question["message_id"]] == [])
    assert telegram.said(chat)[0]["reply_to_message"]["message_id"] == question["message_id"]
    assert telegram.api.called("editMessageText") == []


@pytest.mark.usefixtures("brisk", "no_places")
async def test_forty_questions_at_once_in_a_group_are_all_answered_at_the_groups_limit(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        telegram.api.group_budget = (20, 1.0)
        group = await _forty(telegram)
        await _queue(telegram)  # which has them counted: the budget is kept for their ends
        telegram.engine.gate.set()
        await telegram.until(lambda: len(telegram.said(group)) == 40)
        await telegram.until(lambda: not any(telegram.world.reactions.values()))
    assert {each["text"] for each in telegram.said(group)} == {f"You asked: question {number}" for number in range(40)}
    assert len([sent for sent in telegram.api.called("sendMessage") if sent["chat_id"] == str(group)]) == 40
    grown = {edit["message_id"] for edit in telegram.api.called("editMessageText")}
    assert len(grown) < BRISK.edits  # only the last ones may be seen growing: for them the budget is enough
    assert telegram.api.floods == 0


@pytest.mark.usefixtures("no_places")
async def test_the_estimate_counts_the_groups_limit(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        await _forty(telegram)
        said = await _queue(telegram)
    assert "1 being answered, 39 waiting" in said
    waits = [int(found) for found in re.findall(r"about (\d+) s", said)]
    # The group takes 19 messages now, 19 in a minute, and the last two in another one.
    assert (min(waits), max(waits)) == (60, 120)


async def _forty(telegram: Whole) -> int:
    """Forty questions in one group, which all wait, each with its reaction."""
    telegram.engine.gate.clear()
    group = telegram.world.group()
    for number in range(40):
        await telegram.world.say(group, f"@gander_bot question {number}", by=ANN if number % 2 else BOB)
    await telegram.until(lambda: sum(map(bool, telegram.world.reactions.values())) == 40)
    assert telegram.said(group) == []
    return group


async def _queue(telegram: Whole) -> str:
    """What /queue says, in private."""
    private = telegram.world.private()
    await telegram.world.say(private, "/queue")
    return str((await telegram.answers(private))[0])


async def test_pain_9_a_flood_limit_in_one_chat_neither_loses_its_answer_nor_pauses_others(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        one, other = telegram.world.private(), telegram.world.private(BOB)
        telegram.api.refuse("sendMessage", ApiError("Too Many Requests: retry after 3", 429, retry_after=3))
        await telegram.world.say(one, "first")
        await telegram.until(lambda: len(telegram.api.called("sendMessage")) == 1)
        await telegram.world.say(other, "second", by=BOB)
        assert await telegram.answers(other) == ["You asked: second"]
        assert telegram.said(one) == []
        assert await telegram.answers(one) == ["You asked: first"]


async def test_pain_a_refused_reaction_or_typing_sign_blocks_no_answer(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.api.refuse("setMessageReaction", *[ApiError("Bad Request: REACTION_INVALID")] * 2)
        telegram.api.refuse("sendChatAction", *[ApiError("Bad Request: no")] * 2)
        telegram.api.refuse("sendMessageDraft", *[ApiError("Not Found", 404)] * 20)
        await telegram.world.say(chat, "Still?")
        assert await telegram.answers(chat) == ["You asked: Still?"]


async def test_an_answer_whose_question_was_deleted_goes_without_its_link(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.engine.gate.clear()
        question = await telegram.world.say(chat, "Gone?")
        await telegram.until(lambda: telegram.engine.running == 1)
        del telegram.world.messages[chat, question["message_id"]]
        telegram.engine.gate.set()
        assert await telegram.answers(chat) == ["You asked: Gone?"]
    assert "reply_to_message" not in telegram.said(chat)[0]


@pytest.mark.parametrize("heard", [True, False], ids=["after its answer", "before it heard that its answer was taken"])
async def test_a_restart_loses_no_question_and_answers_none_twice(tmp_path: Path, heard: bool) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.api.mute = {} if heard else {"sendMessage": asyncio.Event()}
        question = (chat, (await telegram.world.say(chat, "first"))["message_id"])
        await telegram.answers(chat)
        if heard:
            await telegram.until(lambda: telegram.world.reactions.get(question) == [])  # it knows
    telegram.api.mute.clear()
    await telegram.world.say(chat, "second")
    async with whole(tmp_path, api=telegram.api) as again:
        # Of the first there may be two for a moment: the second one's is waited for, and then for quiet.
        await again.until(lambda: "You asked: second" in [each["text"] for each in again.said(chat)])
        await again.until(lambda: not any(again.world.reactions.values()))
        assert sorted(each["text"] for each in again.said(chat)) == ["You asked: first", "You asked: second"]
    assert len(again.api.called("sendMessage")) == (2 if heard else 3)


async def test_a_kill_leaves_no_sign_on_a_question(tmp_path: Path) -> None:
    """That its answer was shown is not enough: the sign is taken away before the question is done with."""
    async with whole(tmp_path) as telegram:
        chat, signs = telegram.world.private(), telegram.world.reactions
        telegram.engine.gate.clear()
        question = (chat, (await telegram.world.say(chat, "first"))["message_id"])
        await telegram.until(lambda: bool(signs.get(question)))
        telegram.api.held["setMessageReaction"] = asyncio.Event()
        telegram.engine.gate.set()
        await telegram.answers(chat)
        await telegram.world.say(chat, "second")
        await telegram.answers(chat, 2)
        assert signs[question]
    telegram.api.held.clear()
    async with whole(tmp_path, api=telegram.api) as again:
        await again.until(lambda: signs[question] == [])
        assert sorted(each["text"] for each in again.said(chat)) == ["You asked: first", "You asked: second"]


async def test_a_long_answer_is_split_and_keeps_its_code_whole(tmp_path: Path) -> None:
    long = "A goose. " * 500 + "\n\n```python\nprint('honk')\n```\nDone."
    async with whole(tmp_path, ScriptedEngine(lambda request: (long,))) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "Tell!")
        await telegram.until(lambda: len(telegram.said(chat)) == 2)
        await telegram.until(lambda: "reply_markup" in telegram.said(chat)[1])
    first, second = telegram.said(chat)
    assert len(first["text"]) <= 4096
    assert second["entities"] == [{"type": "pre", "language": "python", "offset": second["text"].index("print"), "length": 13}]
    assert "reply_markup" not in first


@pytest.mark.usefixtures("brisk")
async def test_a_growing_answer_in_a_group_is_edited_within_the_groups_limit(tmp_path: Path) -> None:
    words = [f"goose{number} " for number in range(300)]
    async with whole(tmp_path, ScriptedEngine(lambda request: words, gate=Trickle())) as telegram:
        telegram.api.group_budget = (20, 1.0)
        group = telegram.world.group()
        began = monotonic()
        await telegram.world.say(group, "@gander_bot count")
        await telegram.until(lambda: any("again" in str(each) for each in telegram.said(group)))
        seconds = monotonic() - began
    edits = telegram.api.called("editMessageText")
    assert telegram.said(group)[0]["text"].split() == "".join(words).split()
    assert 5 < len(edits) < 20 * (seconds + 1)
    assert telegram.api.floods == 0
    assert len(telegram.said(group)) == 1


class Trickle(asyncio.Event):
    """Lets a word through every hundredth of a second."""

    async def wait(self) -> Literal[True]:
        await asyncio.sleep(0.01)
        return True


@pytest.mark.parametrize("private", [True, False], ids=["as a new message", "as an edit"])
async def test_what_telegram_can_not_format_goes_as_plain_text(tmp_path: Path, private: bool) -> None:
    async with whole(tmp_path, ScriptedEngine(lambda request: ("A **white** `goose`.",))) as telegram:
        chat = telegram.world.private() if private else telegram.world.group()
        for method in ("sendMessage",) if private else ("sendMessage", "editMessageText"):
            telegram.api.refuse(
                method, ApiError("Bad Request: can't parse entities: Can't find end of the entity starting at byte offset 2")
            )
        await telegram.world.say(chat, "@gander_bot what?")
        await telegram.until(lambda: any("again" in str(each) for each in telegram.said(chat)))
    refused = telegram.api.called("sendMessage" if private else "editMessageText")[0]
    assert [entity["type"] for entity in refused["entities"]] == ["bold", "code"]
    assert [(each["text"], each.get("entities")) for each in telegram.said(chat)] == [("A white goose.", None)]


async def test_a_forums_topics_have_conversations_of_their_own(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        forum = telegram.world.group(forum=True)
        topics = [telegram.world.keep(forum, BOB, forum_topic_created={"name": name, "icon_color": 0}) for name in ("Geese", "Ducks")]
        for number, (topic, text) in enumerate([(0, "geese"), (1, "ducks"), (0, "and now?")], start=1):
            where = {"message_thread_id": topics[topic]["message_id"], "is_topic_message": True, "reply_to_message": topics[topic]}
            await telegram.world.say(forum, f"@gander_bot {text}", **where)
            await telegram.answers(forum, number)
    spoken = [[str(message.content) for message in request.messages] for request in telegram.engine.requests]
    assert spoken == [["geese"], ["ducks"], ["geese", "You asked: geese", "and now?"]]
    assert [each["message_thread_id"] for each in telegram.said(forum)] == [topics[at]["message_id"] for at in (0, 1, 0)]


async def test_telegram_and_the_page_are_served_in_one_process(tmp_path: Path) -> None:
    pages: asyncio.Queue[str] = asyncio.Queue()
    page = partial(web.run, opened=pages.put_nowait)
    async with whole(tmp_path, beside={"web": page}, web={"port": 0}) as telegram, Visitor(await pages.get()) as visitor:
        chat = telegram.world.private()
        await telegram.world.say(chat, "From a phone?")
        await visitor.ask("From the page?")
        assert await telegram.answers(chat) == ["You asked: From a phone?"]
        await telegram.until(lambda: len(telegram.engine.requests) == 2 and not telegram.engine.running)
        async with asyncio.timeout(60):
            while "You asked: From the page?" not in str(await visitor.states()):
                pass  # each look waits for a moment


async def test_who_repeats_a_command_too_fast_hears_of_each_in_one_message(tmp_path: Path) -> None:
    limits = UNHURRIED.model_copy(update={"burst": 1, "cooldown_seconds": 1_000})
    async with whole(tmp_path, limits=limits.model_dump()) as telegram:
        group = telegram.world.group()
        for _ in range(6):
            await telegram.world.say(group, "/queue")
        await telegram.until(lambda: any("4 more of yours" in each["text"] for each in telegram.said(group)))
        slower, queue = sorted(each["text"] for each in telegram.said(group))
        assert (slower.partition(":")[0], queue) == ("A little slower, please", "Nobody is waiting. Ask away!")
        edits = telegram.api.called("editMessageText")
        assert 1 <= len(edits) <= 4  # several that come together are told together
