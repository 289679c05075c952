"""What each person's open pages have to show: the latest state of every message, not a log of its edits.

A page that was away gets the states that changed meanwhile; a slow one skips those in between. So memory is bounded by
the number of messages kept, whatever the network does.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.web.private_files import PrivateFiles
from bot.ids import read_own

KEPT_STATES = 200  # of one person; a page that missed more than this loads its history again
KEPT_HUBS = 2000  # people; one whose hub was let go loads the history again, too


@dataclass(frozen=True, slots=True)
class Event:
    """One state of one subject. `id` is what a page names when it comes back."""

    id: str
    kind: str  # message, deleted, engine, reload
    data: Mapping[str, Any]


class Hub:
    """The states of one person's subjects, in the order in which they changed last."""

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)  # another run of the server, another epoch: its numbers mean nothing here
        self._number = 0
        self._lost = 0  # the number of the newest state that was let go
        self._states: OrderedDict[str, tuple[int, Event]] = OrderedDict()
        self._changed = asyncio.Event()
        self._closed = False
        self.followers = 0

    def publish(self, kind: str, subject: str, data: Mapping[str, Any]) -> None:
        self._number += 1
        self._states.pop(subject, None)
        self._states[subject] = self._number, Event(f"{self._epoch}-{self._number}", kind, data)
        if len(self._states) > KEPT_STATES:
            _, (self._lost, _) = self._states.popitem(last=False)
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def position(self) -> str:
        """The id of the newest event: who has looked at everything goes on from there."""
        return f"{self._epoch}-{self._number}"

    def latest(self, subject: str) -> Event | None:
        _, event = self._states.get(subject, (0, None))
        return event

    def close(self) -> None:
        """End every `follow`."""
        self._closed = True
        self._changed.set()

    async def follow(self, after: str, patience: float) -> AsyncGenerator[Event | None]:
        """Everything that changed since the event `after` (empty: everything held), then each change until the hub closes.

        None after each `patience` seconds of silence.
        """
        seen = self._number_of(after)
        self.followers += 1
        try:
            while not self._closed:
                changed = self._changed
                if seen is None or self._lost > seen > 0:
                    seen = self._number
                    yield Event(f"{self._epoch}-{seen}", "reload", {})
                for number, event in [state for state in self._states.values() if state[0] > seen]:
                    seen = number
                    yield event
                if not await happens(changed, patience):
                    yield None
        finally:
            self.followers -= 1

    def _number_of(self, after: str) -> int | None:
        """None: from another epoch, or older than what is held."""
        if not after:
            return 0
        epoch, _, number = after.partition("-")
        reached = read_own(number)
        return None if epoch != self._epoch or reached is None or reached < self._lost else reached


async def happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


class Hubs:
    """A hub for each person, made when it is first needed. The longest unused ones without a page are let go."""

    def __init__(self) -> None:
        self._hubs: OrderedDict[str, Hub] = OrderedDict()
        self.private_files = PrivateFiles()

    def of(self, person: str) -> Hub:
        hub = self._hubs.get(person)
        if hub is None:
            hub = self._hubs[person] = Hub()
            self._let_go()
        self._hubs.move_to_end(person)
        return hub

    def publish_to_all(self, kind: str, data: Mapping[str, Any]) -> None:
        for hub in self._hubs.values():
            hub.publish(kind, kind, data)

    def close(self) -> None:
        for hub in self._hubs.values():
            hub.close()

    def _let_go(self) -> None:
        if len(self._hubs) <= KEPT_HUBS:
            return
        idle = next((person for person, hub in self._hubs.items() if not hub.followers), None)
        if idle is not None:
            del self._hubs[idle]
