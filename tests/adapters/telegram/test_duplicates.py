"""What an unheard send left is taken back, and nothing else: no message of anybody else, none that we know of."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.message import Place
from bot.platform import KnownMessages
from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.server import ApiError
from tests.adapters.strict.telegram.world import ANN, BOB, ME
from tests.adapters.telegram.rig import connected, whole


async def test_only_the_copy_goes() -> None:
    async with connected() as telegram:
        world, group = telegram.world, telegram.world.group()
        before = world.keep(group, ME, text="Before.")
        asked = world.keep(group, ANN, text="@gander_bot what?")
        world.keep(group, BOB, text="Between.")
        world.keep(group, ME, text="A goose.", reply_markup={"inline_keyboard": []})
        world.keep(group, ME, document=world.document(PNG))
        other = world.keep(group, ME, text="Another answer.")
        again = world.keep(group, ME, text="A goose.")
        known = KnownMessages(_ids(before, asked), _ids(before, other, again))
        await telegram.platform.remove_duplicate(Place("telegram", str(group)), str(again["message_id"]), known)
        left = [each.get("text", "a file") for (chat, _), each in world.messages.items() if chat == group]
    assert left == ["Before.", "@gander_bot what?", "Between.", "a file", "Another answer.", "A goose."]


@pytest.mark.parametrize("known", [KnownMessages(frozenset(), frozenset()), KnownMessages(frozenset({"3"}), frozenset())])
async def test_it_looks_not_far_and_not_without_a_beginning(known: KnownMessages) -> None:
    async with connected() as telegram:
        world, group = telegram.world, telegram.world.group()
        kept = [world.keep(group, ME, text=f"{number}") for number in range(60)][-1]
        await telegram.platform.remove_duplicate(Place("telegram", str(group)), str(kept["message_id"] + 1), known)
        assert (group, kept["message_id"]) in world.messages
        assert len(telegram.api.called("editMessageText")) <= 50


async def test_a_refusal_costs_nothing_but_the_copy() -> None:
    async with connected() as telegram:
        group = telegram.world.group()
        asked, copy, again = (telegram.world.keep(group, by, text="?") for by in (ANN, ME, ME))
        telegram.api.refuse("deleteMessage", ApiError("Bad Request: message can't be deleted"))
        known = KnownMessages(_ids(asked), frozenset())
        await telegram.platform.remove_duplicate(Place("telegram", str(group)), str(again["message_id"]), known)
        assert (group, copy["message_id"]) in telegram.world.messages


async def test_an_answer_whose_send_was_not_heard_of_stands_there_once(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        telegram.api.after["sendMessage"] = [lambda: None]  # taken, and then the connection breaks
        question = (chat, (await telegram.world.say(chat, "Once?"))["message_id"])
        await telegram.until(lambda: len(telegram.api.called("sendMessage")) == 2)
        await telegram.until(lambda: telegram.world.reactions.get(question) == [])
        assert await telegram.answers(chat) == ["You asked: Once?"]


def _ids(*messages: dict[str, object]) -> frozenset[str]:
    return frozenset(str(message["message_id"]) for message in messages)
