"""A question waits half a second for what is missing, and takes nothing that is a message of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.message import Address, Incoming, Invocation, Reply
from bot.questions.arrival_order import ArrivalOrder
from bot.questions.join_messages import MessageJoiner, lacks_something
from tests.bot.rig import attachment
from tests.bot.samples import ANN, BEN, PLACE

QUESTION = Incoming("1", PLACE, ANN, Address.MENTION, datetime(2026, 1, 1, tzinfo=UTC), "what is this?", apart=True)
PICTURE = replace(QUESTION, id="2", text="", attachments=(attachment(b"a goose"),))


@pytest.mark.parametrize(
    ("incoming", "lacks"),
    [
        (QUESTION, True),
        (replace(QUESTION, apart=False), False),  # this platform sends both as one message
        (replace(QUESTION, text="tell me a story"), False),
        (replace(QUESTION, attachments=PICTURE.attachments), False),
        (replace(QUESTION, reply_to=Reply("0")), False),
        (replace(QUESTION, edited=True), False),
        (replace(QUESTION, command=Invocation("ask")), False),
        (replace(QUESTION, text="a long text", cut=True), True),
    ],
)
def test_only_what_points_at_a_picture_or_was_cut_waits(incoming: Incoming, lacks: bool) -> None:
    assert lacks_something(incoming) is lacks


async def test_a_picture_that_follows_is_asked_about() -> None:
    joiner = MessageJoiner(ArrivalOrder())
    with joiner.expecting(QUESTION):
        gathering = asyncio.create_task(joiner.gather(QUESTION))
        await asyncio.sleep(0)
        assert joiner.offer(PICTURE) is not None
        joined = await gathering
    assert (joined.text, joined.attachments, joined.joined) == ("what is this?", PICTURE.attachments, ("2",))


async def test_a_text_that_was_cut_goes_on_in_the_next_messages() -> None:
    joiner, first = MessageJoiner(ArrivalOrder()), replace(QUESTION, text="one", cut=True)
    with joiner.expecting(first):
        gathering = asyncio.create_task(joiner.gather(first))
        await asyncio.sleep(0)
        assert joiner.offer(replace(QUESTION, id="2", text="two", cut=True)) is not None
        assert joiner.offer(replace(QUESTION, id="3", text="three")) is not None
        assert (await gathering).text == "one\ntwo\nthree"


@pytest.mark.parametrize(
    "other",
    [
        replace(PICTURE, author=BEN),
        replace(PICTURE, text="and this?"),
        replace(PICTURE, reply_to=Reply("0")),
        replace(PICTURE, edited=True),
    ],
)
async def test_what_is_a_message_of_its_own_is_not_taken(other: Incoming) -> None:
    joiner = MessageJoiner(ArrivalOrder())
    with joiner.expecting(QUESTION):
        assert joiner.offer(other) is None
        assert await joiner.gather(QUESTION) is QUESTION  # after its patience
    assert joiner.offer(PICTURE) is None  # it was asked already
