"""A wall's hub holds the newest states and nothing that was hidden, however long a demo runs."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any

from adapters.web import wall_updates
from adapters.web.hub import KEPT_STATES, Hub
from adapters.web.wall_updates import WallUpdates
from bot.demo.wall import DONE
from tests.bot.demo.room import entry, wall


async def states(hub: Hub) -> dict[str, Any]:
    """What a page that comes now is told, by kind and id."""
    told: dict[str, Any] = {}
    async with aclosing(hub.follow("", 0.02)) as following:
        async for event in following:
            if event is None:
                return told
            told[f"{event.kind} {event.data.get('id', '')}".strip()] = event.data
    return told


async def test_only_what_changed_is_told() -> None:
    hub = Hub()
    updates = WallUpdates(hub)
    updates.send_changes(wall(entry(1), entry(2)))
    before = hub.latest("entry-1")
    updates.send_changes(wall(entry(1), entry(2, "Two geese.")))
    assert hub.latest("entry-1") is before
    assert (await states(hub))["entry 2"]["sections"][0]["text"] == "Two geese."


async def test_what_steps_looked_at_is_shown_with_a_description() -> None:
    hub = Hub()
    plain, trace = entry(1), {"program": "n = count(a)", "steps": [], "sheet": "abc", "seen": "upper left"}
    shown = replace(plain, entry=replace(plain.entry, shown=replace(plain.entry.shown, trace=trace)))
    WallUpdates(hub).send_changes(wall(shown, entry(2)))
    told = await states(hub)
    assert told["entry 1"]["seen"] == {"url": "/wall/code/pictures/abc", "alt": "upper left"}
    assert told["entry 2"]["seen"] is None


async def test_what_is_hidden_leaves_the_hub() -> None:
    hub = Hub()
    updates = WallUpdates(hub)
    updates.send_changes(wall(entry(1, "A secret.")))
    updates.send_changes(wall(entry(1, "A secret.", hidden=True)))
    told = await states(hub)
    assert told["gone 1"] == {"id": 1}
    assert "A secret." not in str(told)


async def test_memory_is_bounded_over_hours() -> None:
    hub = Hub()
    updates = WallUpdates(hub)
    for first in range(1, 1_000, 7):
        updates.send_changes(wall(*(entry(number) for number in range(first, first + DONE))))
    told = await states(hub)
    assert len(told) <= KEPT_STATES
    assert sum(key.startswith("entry") for key in told) == DONE


async def test_a_wall_that_nobody_watches_is_looked_at_no_more() -> None:
    hub = Hub()
    updates = WallUpdates(hub)
    for _ in range(wall_updates.IDLE_LOOKS):
        updates.send_changes(wall())
    assert not updates.idle
    updates.send_changes(wall())
    assert updates.idle
    async with aclosing(hub.follow("", 0.02)) as following:
        await anext(following)
        updates.send_changes(replace(wall(), waiting=1))
        assert not updates.idle
