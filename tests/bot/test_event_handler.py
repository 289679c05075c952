"""From a message to its answer: conversations, pictures, refusals, and what people can do with an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from bot.errors import DeliveryError, EngineRefused, MessageGone
from bot.message import Address, Author, Invocation, Reply
from bot.platform import Button, Outgoing
from bot.store import events
from bot.store.database import open_database, sqlite_url
from engine.api import ChatRequest, ImagePart
from tests.bot.rig import GOOSE, Chat, Rig, ScriptedEngine, attachment, echo, pictures, running, spoken
from tests.bot.rig import message as said_once
from tests.bot.samples import ANN, BEN, PLACE


async def test_a_question_is_answered_as_a_reply_with_its_buttons(rig: Rig) -> None:
    asked = await rig.say("why?")
    await rig.finals(1)
    answer = rig.chat.answer("You asked: why?")
    assert (answer.buttons, rig.chat.replies["bot1"]) == ((Button.AGAIN, Button.SETTINGS), asked.id)


async def test_nothing_of_ours_blocks_the_loop(rig: Rig) -> None:
    with blockbuster_ctx("bot") as guard:
        guard.functions["os.stat"].can_block_in("asyncpg/connect_utils.py", "_read_password_file")  # of each new connection's
        await rig.say("what is it?", attachments=(attachment(GOOSE),))
        await rig.finals(1)
    assert rig.chat.answer("You asked: what is it?")


async def test_reset_starts_afresh(rig: Rig) -> None:
    await rig.say("one")
    await rig.finals(1)
    await rig.press("reset")
    await rig.say("two")
    await rig.finals(3)
    assert spoken(rig.engine.requests[1]) == ["two"]


async def test_what_is_not_addressed_or_said_by_a_bot_is_ignored(rig: Rig) -> None:
    await rig.say("hello", address=Address.OVERHEARD)
    await rig.say("hello", author=Author("web", "robot", "Robot", is_bot=True))
    await rig.say("why?")
    assert await rig.finals(1) == ["You asked: why?"]


async def test_the_same_event_twice_is_answered_once(rig: Rig) -> None:
    await rig.core.handle(await rig.say("why?"))
    await rig.say("and now?")
    assert await rig.finals(2) == ["You asked: why?", "You asked: and now?"]


async def test_a_long_answer_is_split_and_every_part_can_be_replied_to(rig: Rig) -> None:
    rig.engine.reply = lambda _: ["A sentence about geese. "] * 20
    await rig.say("why?")
    await rig.finals(3)
    await rig.until(
        lambda: all(m.final for m in rig.chat.messages.values()) and list(rig.chat.messages.values())[-1].buttons[-1:] == (Button.SETTINGS,)
    )
    assert [bool(message.buttons) for message in rig.chat.messages.values()] == [False, False, True]
    rig.engine.reply = echo
    await rig.say("more?", reply_to=Reply("bot2", is_ours=True))
    await rig.until(lambda: len(rig.engine.requests) == 2)
    assert spoken(rig.engine.requests[1])[0] == "why?"


async def test_nobody_presses_another_persons_buttons(rig: Rig) -> None:
    await rig.say("why?")
    await rig.finals(1)
    own = rig.chat.answer("You asked: why?").answer_id or 0
    await rig.press("again", author=BEN, answer_id=own)
    assert "somebody else" in (await rig.finals(2))[1]
    assert len(rig.engine.requests) == 1


async def test_stopping_keeps_what_was_said(rig: Rig) -> None:
    def reply(_: ChatRequest) -> list[str]:
        return ["Half an ", "answer"]

    rig.engine.reply = reply
    rig.engine.gate.clear()
    await rig.say("why?")
    await rig.until(lambda: rig.engine.running == 1)
    await rig.press("stop")
    finals = await rig.finals(1)
    assert len(finals) == 1
    assert rig.engine.running == 0


def url(request: ChatRequest) -> str:
    """The picture that the engine was shown last."""
    parts = [part for message in request.messages if not isinstance(message.content, str) for part in message.content]
    return next((part.image_url.url for part in reversed(parts) if isinstance(part, ImagePart)), "")


async def test_what_the_engine_refuses_is_told_in_its_words(rig: Rig) -> None:
    rig.engine.reply = lambda _: [EngineRefused("num_beams is at most 4 here")]
    asking = await rig.say("why?")
    assert await rig.finals(1) == ["That can't be answered: num_beams is at most 4 here"]
    assert (await rig.core.actions.queue(asking)).tokens_per_second is None  # it measures no speed


async def test_the_oldest_text_goes_when_the_context_is_full(rig: Rig) -> None:
    def reply(request: ChatRequest) -> list[str | Exception]:
        return [EngineRefused("too long", too_long=True)] if len(request.messages) > 3 else ["fits"]

    rig.engine.reply = reply
    for number, text in enumerate(["one", "two", "three"], start=1):
        await rig.say(text, attachments=(attachment(GOOSE),) if text == "one" else ())
        await rig.finals(number)
    assert pictures(rig.engine.requests[-1]) == 1
    assert "no longer fit" in list(rig.chat.messages.values())[-1].footer


async def test_a_deleted_question_is_answered_without_a_link(rig: Rig) -> None:
    rig.chat.failures = [MessageGone("the question was deleted")]
    await rig.say("why?")
    assert await rig.finals(1) == ["You asked: why?"]
    assert rig.chat.replies == {"bot1": None}


async def test_a_flood_limit_only_delays(rig: Rig) -> None:
    rig.chat.failures = [DeliveryError("slow down", retry_after=0.05)] * 3
    await rig.say("why?")
    assert await rig.finals(1) == ["You asked: why?"]


async def test_forgetting_removes_words_and_pictures(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    sha256 = (await rig.core.history(PLACE))[0].pictures[0]
    shown = await rig.core.picture(PLACE, sha256)
    assert shown is not None
    assert shown.exists()
    await rig.press("forget", asker=ANN.id)
    await rig.finals(2)
    assert (await rig.core.history(PLACE), shown.exists(), await rig.core.picture(PLACE, sha256)) == ((), False, None)


async def test_a_picture_that_was_lost_is_asked_for_again_and_holds_up_nobody(rig: Rig) -> None:
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    sha256 = (await rig.core.history(PLACE))[0].pictures[0]
    rig.files.path(sha256).unlink()
    await rig.say("how old?")
    assert "Show it to me again" in (await rig.finals(2))[1]
    await rig.say("what is it?", attachments=(attachment(GOOSE),))
    await rig.finals(3)
    assert pictures(rig.engine.requests[-1]) == 1


async def test_of_an_answer_that_is_forgotten_in_the_making_nothing_stays(rig: Rig) -> None:
    def reply(_: ChatRequest) -> Iterator[str]:
        yield "Half an "
        rig.engine.gate.clear()
        yield "answer"

    rig.engine.reply = reply
    await rig.say("why?")
    await rig.until(lambda: "Half an " in [message.text for message in rig.chat.messages.values()])
    await rig.press("forget", asker=ANN.id)
    await rig.until(lambda: len(rig.chat.messages) == 1 == len(rig.chat.finals()))
    assert rig.chat.finals()[0].startswith("Done. Deleted: 2 messages")


async def test_history_shows_branches_with_the_platforms_own_ids(rig: Rig) -> None:
    asked = await rig.say("one")
    await rig.finals(1)
    await rig.say("two", reply_to=Reply("bot1", is_ours=True))
    await rig.finals(2)
    history = await rig.core.history(PLACE)
    assert [(m.role, m.text) for m in history][:2] == [("user", "one"), ("assistant", "You asked: one")]
    assert [m.message_ids[0] for m in history] == [asked.id, "bot1", "m2", "bot2"]
    assert [m.parent for m in history[1:]] == [m.id for m in history[:-1]]


async def test_the_queue_shows_ones_own_place(rig: Rig) -> None:
    rig.engine.rows = 1
    rig.engine.gate.clear()
    await rig.say("first")
    await rig.until(lambda: rig.engine.running == 1)
    second = await rig.say("second", author=BEN)
    queue = await rig.core.actions.queue(second)
    assert (queue.waiting, queue.running, [place.position for place in queue.mine]) == (1, 1, [1])
    await rig.until(lambda: any("next" in message.text for message in rig.chat.messages.values()))


async def test_a_platform_that_returns_gets_what_is_owed(tmp_path: Path) -> None:
    engine, chat = ScriptedEngine(echo), Chat()
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        chat.failures = [DeliveryError("gone for a while", retry_after=600)]
        await rig.say("why?")
        await rig.until(lambda: not chat.failures)
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine, chat) as rig:
        assert await rig.finals(1) == ["You asked: why?"]


async def test_an_event_that_is_offered_again_is_not_dealt_with_again(rig: Rig) -> None:
    await rig.say("why?")
    await rig.finals(1)
    for name in ("again", "reset", "unheard_of"):
        incoming = said_once(f"event {name}", address=Address.COMMAND, command=Invocation(name))
        await rig.core.handle(incoming)
        await rig.core.handle(incoming)
    await rig.say("done?")
    await rig.finals(5)
    assert len(rig.engine.requests) == 3
    # Two answers to the first question, one to the last, and a word to each of the other commands.
    assert (len(rig.chat.finals()), len(set(rig.chat.finals()))) == (5, 4)


@pytest.mark.parametrize(("private", "said"), [(True, 0), (False, 1)])
async def test_a_reply_that_a_kill_cut_off_is_said_at_the_next_start(tmp_path: Path, private: bool, said: int) -> None:
    """But what was for one person alone, and nobody knows whom any more, is said to nobody."""
    url, chat, engine = sqlite_url(tmp_path / "gander.db"), Chat(), ScriptedEngine(echo)
    database = await open_database(url)
    await database.write(events.take, PLACE, "cut off", "gander", 1.0, Outgoing("temperature is now 0.7.", private=private))
    await database.close()
    for start in (1, 2):
        async with running(url, tmp_path, engine, chat) as rig:
            await rig.core.handle(said_once(f"reset{start}", address=Address.COMMAND, command=Invocation("reset")))
            await rig.finals(start + said)
            while await rig.database.read(events.undelivered, PLACE.platform, "gander", inf):  # noqa: ASYNC110  # the store decides
                await asyncio.sleep(0.01)
    assert sum("temperature" in text for text in chat.finals()) == said
