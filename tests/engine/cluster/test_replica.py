"""A replica without Ray: its answers come in batches, and its health is its device's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.api import ChatRequest, Message
from engine.cluster.replica import Replica
from engine.core.pace import Patience
from engine.core.worker import Loaded
from engine.errors import ContextError, HungError, NotReadyError, StartError
from engine.request import Done, TextDelta
from tests.engine.tiny_letters import CARD, Letters

HELLO = ChatRequest(messages=(Message(role="user", content="Hello"),), max_tokens=12)


@asynccontextmanager
async def started(letters: Letters) -> AsyncIterator[Replica]:
    replica = Replica(CARD, letters.load, 0.1)
    await replica.start()
    try:
        yield replica
    finally:
        letters.going.set()
        replica.worker.stop()


async def text_of(replica: Replica, request: ChatRequest) -> str:
    batches = [batch async for batch in replica.answer(request)]
    assert isinstance(batches[-1][-1], Done)
    return "".join(event.text for batch in batches for event in batch if isinstance(event, TextDelta))


async def test_a_replica_answers_in_batches_and_says_how_it_is() -> None:
    async with started(Letters()) as replica:
        assert len(await text_of(replica, HELLO)) == 12
        health = replica.look("bot", 3)
        assert (health.status, health.model, replica.demand.waiting()) == ("ready", "letters", 3)
        replica.check()


async def test_a_replica_forgets() -> None:
    letters = Letters()
    async with started(letters) as replica:
        await replica.forget(["a" * 64])
    assert letters.forgotten == ["a" * 64]


async def test_a_refusal_comes_as_the_last_event() -> None:
    async with started(Letters()) as replica:
        long = HELLO.model_copy(update={"messages": (Message(role="user", content="too long"),)})
        (batch,) = [batch async for batch in replica.answer(long)]
        assert isinstance(batch[-1], ContextError)


async def test_whoever_leaves_frees_the_device() -> None:
    letters = Letters(pause_seconds=0.01)
    async with started(letters) as replica:
        answer = replica.answer(HELLO.model_copy(update={"max_tokens": 10_000}))
        await anext(answer)
        await answer.aclose()
        while letters.requests:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)


async def test_a_device_that_hangs_fails_the_check() -> None:
    letters = Letters()
    replica = Replica(CARD, letters.load, 0.1, patience=Patience(first=0.2, least=0.2))
    await replica.start()
    letters.going.clear()
    *_, last = [batch async for batch in replica.answer(HELLO)]
    assert isinstance(last[-1], NotReadyError)
    with pytest.raises(HungError):
        replica.check()
    letters.going.set()


async def test_a_model_that_cannot_be_loaded_starts_no_replica() -> None:
    def load() -> Loaded:
        raise StartError("There is no such device.")

    with pytest.raises(StartError, match="no such device"):
        await Replica(CARD, load, 0.1).start()
