"""Keeps each place's order: a message that came earlier is stored earlier, while the files of all are fetched at the same time.

A message whose files take longer than `arrival.PATIENCE_SECONDS` is overtaken by those of other people, and by nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext

from bot.arrival import Arrival


class ArrivalOrder:
    """The events that have arrived and are not stored or refused yet, of all places."""

    def __init__(self) -> None:
        self._open: dict[str, list[Arrival]] = {}  # by place, in the order of their coming

    @contextmanager
    def arriving(self, place: str, event: str, person: str) -> Iterator[Arrival]:
        """Within the block the event has its place in the order; afterwards it is dealt with."""
        arrival = Arrival(place, event, person)
        self._open.setdefault(place, []).append(arrival)
        try:
            yield arrival
        finally:
            arrival.end()
            self._open[place].remove(arrival)
            if not self._open[place]:
                del self._open[place]

    @asynccontextmanager
    async def wanted(self, arrival: Arrival | None) -> AsyncIterator[None]:
        """As `Arrival.wanted`; without an arrival the block just runs."""
        async with arrival.wanted() if arrival else nullcontext():
            yield

    async def stored(self, arrival: Arrival | None, event: str) -> None:
        """Wait until the message of this id is dealt with, if it came earlier: this one replies to it."""
        for earlier in self._before(arrival):
            if earlier.event == event:
                await earlier.over.wait()

    async def turn(self, arrival: Arrival | None, *, follows: bool) -> None:
        """Wait for earlier messages, but for files and commands of others no longer than `arrival.PATIENCE_SECONDS`; for the same message,
        and with `follows` for the same person's messages, however long they take: this one may continue them."""
        for earlier in self._before(arrival):
            await earlier.passable.wait()
            if earlier.over.is_set():  # or those behind this one would be let past it, though nothing is slow
                continue
            if arrival and ((follows and earlier.person == arrival.person) or earlier.event == arrival.event):
                with arrival.behind_slow():
                    await earlier.over.wait()

    async def withdraw(self, place: str, event: str) -> None:
        """Take back a message that is not stored yet; afterwards it is stored, or never will be."""
        for arrival in [each for each in self._open.get(place, ()) if each.event == event]:
            arrival.withdraw()
            await arrival.over.wait()

    async def drop(self, person: str | None, place: str | None = None, but: Arrival | None = None) -> int:
        """Take back the questions of this person (None: of everybody) in a place (None: anywhere); how many. Those that were being
        stored already are stored when this returns."""
        found = [each for each in self._of(place) if each is not but and each.asks and person in {None, each.person}]
        for arrival in found:
            arrival.withdraw()
        late = [arrival for arrival in found if arrival.storing]
        for arrival in late:
            await arrival.over.wait()
        return len(found) - len(late)

    def reads_after(self, arrival: Arrival | None) -> bool:
        """Whether a later event of the same person is still being read by its adapter."""
        here = self._open.get(arrival.place, []) if arrival else []
        after = here[here.index(arrival) + 1 :] if arrival in here else []
        return any(not each.read for each in after if arrival and each.person == arrival.person)

    async def settled(self, channel: str) -> None:
        """Wait until all that has come in a channel (its key), or in a thread of it, is dealt with."""
        for arrival in [each for each in self._of(None) if each.place == channel or each.place.startswith(f"{channel}/")]:
            await arrival.over.wait()

    def begin_afresh(self, reset: Arrival | None, person: str | None) -> None:
        """`reset` was a reset of the conversation, of this person or (None) of everybody: it does not go on from what came before and is
        not stored yet."""
        for arrival in self._before(reset):
            arrival.points = arrival.points and person not in {None, arrival.person}

    def _of(self, place: str | None) -> list[Arrival]:
        return [each for here, all_here in self._open.items() if place in {None, here} for each in all_here]

    def _before(self, arrival: Arrival | None) -> list[Arrival]:
        here = self._open.get(arrival.place, []) if arrival else []
        return here[: here.index(arrival)] if arrival in here else []
