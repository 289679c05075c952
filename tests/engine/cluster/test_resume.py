"""An answer whose replica dies goes on at another: nothing is said twice, nothing jumps back, and its counts add up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from engine.api import ChatRequest, Message, ResponseFormat
from engine.cluster.resume import LIVES, Batch, ReplicaLost, resumed, showing_life, with_heartbeats
from engine.errors import ContextError, GenerationError, NotReadyError, RequestError
from engine.request import ChoiceFinished, Done, Event, Provisional, TextDelta

HELLO = ChatRequest(messages=(Message(role="user", content="Hello"),), max_tokens=10)
END = (ChoiceFinished(0, "stop"), Done(7, 2, 0))


def words(*texts: str) -> Batch:
    return tuple(TextDelta(0, text) for text in texts)


class Replicas:
    """Each life is what one replica sends before it is gone; the last one ends the answer."""

    def __init__(self, *lives: Sequence[Batch]) -> None:
        self.lives = list(lives)
        self.asked: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> AsyncGenerator[Batch]:
        self.asked.append(request)
        for batch in self.lives.pop(0):
            yield batch
        raise ReplicaLost("gone")


async def heard(replicas: Replicas, request: ChatRequest = HELLO) -> list[Event]:
    return [event async for event in resumed(replicas.ask, request, 300) if event is not None]


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def test_an_answer_goes_on_after_its_own_words() -> None:
    replicas = Replicas([words("One", " goose"), (None,)], [words(" and", " two."), END])
    events = await heard(replicas)
    assert text_of(events) == "One goose and two."
    assert events[-1] == Done(5, 4, 0)  # the words that went along as the assistant's are no part of the question
    rest = replicas.asked[1]
    assert rest.continue_final_message
    assert rest.max_tokens == 8
    assert rest.messages == (*HELLO.messages, Message(role="assistant", content="One goose"))


async def test_words_that_a_client_began_are_continued_too() -> None:
    begun = (*HELLO.messages, Message(role="assistant", content="Well, "))
    replicas = Replicas([words("one")], [words(" goose"), END])
    request = HELLO.model_copy(update={"messages": begun, "continue_final_message": True})
    assert text_of(await heard(replicas, request)) == "one goose"
    assert replicas.asked[1].messages[-1].content == "Well, one"


async def test_nothing_written_yet_is_asked_again_as_it_was() -> None:
    replicas = Replicas([], [(None,)], [words("Hi"), END])
    assert text_of(await heard(replicas)) == "Hi"
    assert replicas.asked == [HELLO] * 3


async def test_a_limit_that_is_reached_asks_nobody_any_more() -> None:
    replicas = Replicas([words(*"abcdefghij")])
    assert (await heard(replicas))[-2:] == [ChoiceFinished(0, "length"), Done(0, 10, 0)]


async def test_an_end_without_its_counts_is_an_end() -> None:
    replicas = Replicas([words("Hi"), (ChoiceFinished(0, "stop"),)])
    assert (await heard(replicas))[1:] == [ChoiceFinished(0, "stop"), Done(0, 1, 0)]


async def test_the_view_of_a_beam_search_never_shrinks() -> None:
    views = [
        (Provisional(0, "One"), Provisional(0, "One goose")),
        (Provisional(0, "A"), Provisional(0, "A gander and one"), *words("A"), *END),
    ]
    replicas = Replicas([views[0]], [views[1]])
    events = await heard(replicas, HELLO.model_copy(update={"num_beams": 3}))
    assert [event.text for event in events if isinstance(event, Provisional)] == ["One", "One goose", "A gander and one"]
    assert replicas.asked[1].messages == HELLO.messages


@pytest.mark.parametrize("changes", [{"n": 2}, {"response_format": ResponseFormat(type="json_object")}])
async def test_what_would_be_said_twice_ends_with_an_error(changes: dict[str, object]) -> None:
    with pytest.raises(GenerationError, match="ask again"):
        await heard(Replicas([words("One")], []), HELLO.model_copy(update=changes))


async def test_a_stopping_replica_is_as_good_as_gone_and_a_refusal_is_none() -> None:
    replicas = Replicas([words("One"), (NotReadyError("The engine is stopping."),)], [words(" goose"), END])
    assert text_of(await heard(replicas)) == "One goose"
    with pytest.raises(ContextError):
        await heard(Replicas([(ContextError("Too long.", "messages"),)]))
    with pytest.raises(NotReadyError, match="loading"):
        await heard(Replicas([(NotReadyError("It is loading."),)]))


async def test_a_model_that_continues_nothing_is_no_fault_of_the_asker() -> None:
    with pytest.raises(GenerationError, match="can't go on"):
        await heard(Replicas([words("One")], [(RequestError("This model continues nothing.", "continue_final_message"),)]))


async def test_a_reader_sees_life_while_the_next_replica_has_no_room() -> None:
    room = asyncio.Event()

    async def slow() -> AsyncGenerator[Batch]:
        await room.wait()
        yield words("Hi")

    batches = with_heartbeats(slow(), 0.01)
    assert await anext(batches) == (None,)
    room.set()
    rest = [batch async for batch in batches if batch != (None,)]
    assert rest == [words("Hi")]


async def test_a_question_that_every_replica_dies_of_is_given_up() -> None:
    with pytest.raises(NotReadyError, match="Every replica"):
        await heard(Replicas(*[[] for _ in range(LIVES)]))


async def test_a_replica_that_begins_and_shows_no_life_is_as_good_as_gone() -> None:
    ended = asyncio.Event()

    async def hanging() -> AsyncGenerator[Batch]:
        try:
            yield words("One")
            await asyncio.Event().wait()
        finally:
            ended.set()

    batches = showing_life(hanging(), 0.01)
    assert await anext(batches) == words("One")
    with pytest.raises(ReplicaLost, match="no life"):
        await anext(batches)
    assert ended.is_set()  # nobody listens to it any more


async def test_who_waits_for_room_is_not_taken_for_gone() -> None:
    room = asyncio.Event()

    async def full() -> AsyncGenerator[Batch]:
        await room.wait()
        yield words("One")

    waits = asyncio.ensure_future(anext(showing_life(full(), 0.0)))
    await asyncio.sleep(0.01)
    assert not waits.done()
    room.set()
    assert await waits == words("One")
