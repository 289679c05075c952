"""A page that was away, slow or unknown gets exactly what it has to show."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from adapters.web import hub as hubs
from adapters.web.hub import Event, Hub, Hubs

PATIENCE = 0.05


async def told(hub: Hub, after: str = "") -> list[Event]:
    """All that a page is told before the hub falls silent."""
    events: list[Event] = []
    async with aclosing(hub.follow(after, PATIENCE)) as following:
        async for event in following:
            if event is None:
                break
            events.append(event)
    return events


async def first(following: AsyncGenerator[Event | None]) -> Event:
    event = await anext(following)
    assert event is not None
    return event


async def test_a_new_page_gets_the_latest_state_of_each_message() -> None:
    hub = Hub()
    hub.publish("message", "a", {"text": "G"})
    hub.publish("message", "b", {"text": "B"})
    hub.publish("message", "a", {"text": "Goose"})
    assert [event.data["text"] for event in await told(hub)] == ["B", "Goose"]


async def test_a_page_that_comes_back_gets_what_it_missed_and_nothing_else() -> None:
    hub = Hub()
    hub.publish("message", "a", {"text": "seen"})
    (seen,) = await told(hub)
    hub.publish("message", "b", {"text": "missed"})
    assert [event.data["text"] for event in await told(hub, seen.id)] == ["missed"]


async def test_a_waiting_page_is_woken_by_each_change() -> None:
    hub = Hub()
    async with aclosing(hub.follow("", PATIENCE)) as following:
        assert await anext(following) is None
        hub.publish("message", "a", {"text": "one"})
        assert (await first(following)).data == {"text": "one"}
        hub.publish("message", "a", {"text": "two"})
        assert (await first(following)).data == {"text": "two"}


async def test_a_page_from_before_a_restart_loads_its_history_again() -> None:
    before, after = Hub(), Hub()
    before.publish("message", "a", {})
    (old,) = await told(before)
    (event,) = await told(after, old.id)
    assert event.kind == "reload"


async def test_a_page_that_missed_more_than_is_kept_loads_its_history_again() -> None:
    hub = Hub()
    hub.publish("message", "first", {})
    (seen,) = await told(hub)
    for number in range(hubs.KEPT_STATES + 5):
        hub.publish("message", str(number), {})
    assert (await told(hub, seen.id))[0].kind == "reload"


async def test_memory_is_bounded_by_messages_not_by_edits() -> None:
    hub = Hub()
    for number in range(10 * hubs.KEPT_STATES):
        hub.publish("message", str(number % 7), {"text": number})
    assert len(await told(hub)) == 7
    for number in range(10 * hubs.KEPT_STATES):
        hub.publish("message", str(number), {})
    assert len(await told(hub)) == hubs.KEPT_STATES


async def test_garbage_for_an_event_id_means_a_reload() -> None:
    for garbage in ("x", "-", "1-2-3", "-9", "☃"):
        assert [event.kind for event in await told(Hub(), garbage)] == ["reload"]


async def test_closing_ends_every_stream() -> None:
    everyone = Hubs()
    following = everyone.of("ada").follow("", PATIENCE)
    assert await anext(following) is None
    everyone.close()
    assert [event async for event in following] == []


async def test_people_without_a_page_are_let_go_first() -> None:
    everyone = Hubs()
    with_page = everyone.of("watching")
    async with aclosing(with_page.follow("", PATIENCE)) as following:
        await anext(following)
        for number in range(hubs.KEPT_HUBS + 10):
            everyone.of(str(number))
        assert everyone.of("watching") is with_page
