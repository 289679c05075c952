"""The device's thread: in order, bounded, cancelled within a step, restarted after a death, and never a hang."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from engine.core.pace import Pace, Patience
from engine.core.worker import Loaded, Worker
from engine.errors import ContextError, ModelError, NotReadyError, OverloadedError
from engine.prompts.turn import Turn
from engine.request import ChoiceFinished, Done, Request, TextDelta
from tests.engine.tiny_letters import CARD, Letters


def question(text: str = "Hi", max_tokens: int = 20) -> Request:
    return Request((Turn("user", (text,)),), CARD.generation.model_copy(update={"max_tokens": max_tokens}))


@asynccontextmanager
async def at_work(load: Callable[[], Loaded], **options: float | Patience) -> AsyncIterator[Worker]:
    worker = Worker(load, **({"expected_seconds": 0.1, "capacity": 3} | options))  # type: ignore[arg-type]
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def answer(worker: Worker, request: Request) -> str:
    async with aclosing(worker.stream(request)) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def test_events_come_in_order_and_end_with_done() -> None:
    async with at_work(Letters().load) as worker, aclosing(worker.stream(question())) as stream:
        events = [event async for event in stream]
    assert [type(event) for event in events] == [TextDelta] * 20 + [ChoiceFinished, Done]


async def test_first_come_first_served() -> None:
    letters = Letters()
    async with at_work(letters.load) as worker:
        await asyncio.gather(*(answer(worker, question(f"question {number}", max_tokens=3)) for number in range(3)))
    assert letters.begun == ["question 0", "question 1", "question 2"]


async def test_who_comes_as_the_model_gets_ready_passes_nobody() -> None:
    letters, loading, loop = Letters(), threading.Event(), asyncio.get_running_loop()

    def load() -> Loaded:
        loading.wait(timeout=60)
        return letters.load()

    async with at_work(load, patience_seconds=60) as worker:
        asked = [asyncio.create_task(answer(worker, question(f"question {number}", max_tokens=3))) for number in range(2)]
        loop.call_soon(
            loop.call_soon, worker._set_ready, Loaded(letters, "cpu", lambda: 1)
        )  # between the last one's coming and its waiting
        asked.append(asyncio.create_task(answer(worker, question("question 2", max_tokens=3))))
        for _ in range(10):
            await asyncio.sleep(0)  # all are admitted
        loading.set()
        await asyncio.gather(*asked)
    assert letters.begun == ["question 0", "question 1", "question 2"]


async def test_a_closed_stream_stops_the_device_within_a_step() -> None:
    letters = Letters(pause_seconds=0.01)
    async with at_work(letters.load) as worker:
        async with aclosing(worker.stream(question(max_tokens=10_000))) as events:
            await anext(events)
        at_close = letters.steps
        assert await answer(worker, question(max_tokens=1))  # the thread is free again
    assert letters.steps - at_close <= 1 + 1 + 1  # under way at the close, seen one step later, and the second answer's own


async def test_who_left_while_waiting_is_never_begun() -> None:
    letters = Letters(pause_seconds=0.01)
    async with at_work(letters.load) as worker, aclosing(worker.stream(question(max_tokens=20))) as first:
        await anext(first)
        letters.going.clear()  # or on a busy machine the first might be done before the other leaves
        leaver = asyncio.create_task(answer(worker, question(max_tokens=1000)))
        await asyncio.sleep(0.01)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        letters.going.set()
        assert len([event async for event in first]) == 21
    assert letters.steps == 20


async def test_a_full_queue_refuses_and_is_free_again_after() -> None:
    async with at_work(Letters(pause_seconds=0.005).load) as worker:
        await answer(worker, question(max_tokens=1))  # it is ready
        asked = [asyncio.create_task(answer(worker, question())) for _ in range(3)]
        await asyncio.sleep(0)  # each is admitted as soon as it runs
        with pytest.raises(OverloadedError, match="3 requests") as refused:
            await answer(worker, question())
        assert refused.value.retry_after > 0
        assert {len(text) for text in await asyncio.gather(*asked)} == {20}
        assert len(await answer(worker, question())) == 20


async def test_an_error_on_purpose_ends_one_request_only() -> None:
    async with at_work(Letters().load) as worker:
        with pytest.raises(ContextError):
            await answer(worker, question("too long"))
        assert len(await answer(worker, question())) == 20


async def test_a_dead_worker_tells_everyone_and_comes_back() -> None:
    async with at_work(Letters().load, patience_seconds=30) as worker:
        told = await asyncio.gather(*(answer(worker, question(text)) for text in ("poison", "Hi", "Ho")), return_exceptions=True)
        assert [type(each) for each in told] == [NotReadyError] * 3
        assert len(await answer(worker, question())) == 20


async def test_a_dead_engine_is_gone_before_the_next_is_loaded() -> None:
    """On a GPU there is no room for both."""
    engines: list[weakref.ref[Letters]] = []
    alive: list[bool] = []

    def load() -> Loaded:
        alive.extend(engine() is not None for engine in engines)
        letters = Letters()
        engines.append(weakref.ref(letters))
        return letters.load()

    async with at_work(load, patience_seconds=30) as worker:
        with pytest.raises(NotReadyError):
            await answer(worker, question("poison"))
        assert len(await answer(worker, question())) == 20
        assert alive == [False]
        assert "index out of range" in str(worker.death)


async def test_a_model_that_cannot_be_loaded_is_said_and_run_returns() -> None:
    def fail() -> Loaded:
        raise ModelError("/x is no ready model folder.")

    worker = Worker(fail, expected_seconds=1)
    await worker.run()
    assert (worker.status, worker.failure) == ("failed", "/x is no ready model folder.")
    with pytest.raises(NotReadyError, match="no ready model folder"):
        await answer(worker, question())


async def test_while_a_slow_model_loads_askers_hear_when_to_come_again() -> None:
    loading = threading.Event()

    def slow() -> Loaded:
        loading.wait(timeout=60)
        return Letters().load()

    async with at_work(slow, expected_seconds=9_000, patience_seconds=0.01) as worker:
        await asyncio.sleep(0.01)
        assert 8_000 < (worker.seconds_left or 0) <= 9_000
        with pytest.raises(NotReadyError) as refused:
            await answer(worker, question())
        assert 8_000 < refused.value.retry_after <= 9_000
        loading.set()


async def test_a_load_that_takes_longer_than_expected_promises_no_seconds() -> None:
    loading = threading.Event()

    def slow() -> Loaded:
        loading.wait(timeout=60)
        return Letters().load()

    async with at_work(slow, expected_seconds=0, patience_seconds=0.01) as worker:
        with pytest.raises(NotReadyError) as refused:
            await answer(worker, question())
        assert (worker.status, worker.seconds_left, refused.value.retry_after) == ("loading", None, 1)
        loading.set()


async def test_a_short_load_is_waited_for() -> None:
    async with at_work(Letters().load, patience_seconds=30) as worker:
        assert worker.status == "loading"
        assert len(await answer(worker, question())) == 20
        assert (worker.status, worker.seconds_left) == ("ready", None)


async def test_a_step_that_never_ends_is_a_fault_that_everybody_is_told() -> None:
    letters = Letters()
    async with at_work(letters.load, patience=Patience(first=0.5, least=0.5)) as worker:
        assert worker.step_seconds is None
        assert len(await answer(worker, question(max_tokens=3))) == 3
        letters.going.clear()
        try:
            with pytest.raises(NotReadyError, match="failed"):
                await answer(worker, question())
            assert worker.status == "failed"
            assert "has not finished a step" in (worker.failure or "")
        finally:
            letters.going.set()  # or the thread would be waited for


def test_a_step_hangs_when_those_before_it_do_not_explain_it() -> None:
    now = 0.0
    pace = Pace(Patience(first=600, least=60, times=10), lambda: now)
    assert pace.step_seconds is None
    assert pace.limit == 600
    pace.begin()
    now = 20.0
    assert pace.step_seconds == 20
    pace.end()
    assert pace.limit == 200
    pace.begin()
    now = 21.0
    pace.end()
    assert pace.limit == 200
