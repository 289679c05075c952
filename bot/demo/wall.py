"""What a demo's wall shows right now: the newest questions, growing answers, the queue, the speed, the most liked answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import time

from bot.dispatch.dispatcher import Dispatcher
from bot.platform import AnswerColumn
from bot.queue_status import QueuePosition
from bot.store import demos, votes
from bot.store.database import Database
from bot.store.demos import Demo, Entry
from bot.store.pictures import PictureFiles

LOOKED_AT = 300  # newest entries of a demo that are read: the default limits allow fewer to wait and run at once
DONE, NEXT = 40, 24  # how many finished and how many waiting ones of those are shown
LIKED = 3
LIKED_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class WallEntry:
    """An entry as it stands now. `place`: its place in line, while it waits."""

    entry: Entry
    sections: tuple[AnswerColumn, ...]
    state: str  # waiting, answering, done
    place: QueuePosition | None


@dataclass(frozen=True, slots=True)
class Wall:
    """All that a wall shows. `entries`: the newest, oldest first. `liked`: ids of answers, most liked first."""

    demo: Demo
    entries: tuple[WallEntry, ...]
    waiting: int
    running: int
    tokens_per_second: float
    liked: tuple[int, ...]


class Walls:
    """Reads demos for their walls."""

    def __init__(self, database: Database, files: PictureFiles, dispatcher: Dispatcher) -> None:
        self._database = database
        self._files = files
        self._dispatcher = dispatcher

    async def find(self, code: str) -> Demo | None:
        """The demo whose wall has this code in its address; None: there is none."""
        return await self._database.read(demos.by_code, code)

    async def read(self, demo: Demo) -> Wall:
        """The wall as it stands now. Hidden entries are included, and marked as hidden."""
        found = await self._database.read(demos.entries, demo, LOOKED_AT)
        queue = await self._dispatcher.queue_snapshot()
        states = [self._state(entry, queue.positions.get(entry.shown.answer)) for entry in found]
        shown = worth_showing(states)
        answers = [each.entry.shown.answer for each in shown if not each.entry.shown.hidden]
        recent = await self._database.read(votes.tally, answers, time() - LIKED_SECONDS)
        liked = sorted(recent, key=lambda answer: (-recent[answer].total(), -answer))[:LIKED]
        count = Counter(each.state for each in states)
        return Wall(demo, shown, count["waiting"], count["answering"], self._dispatcher.tokens_now, tuple(liked))

    async def shows_picture(self, demo: Demo, sha256: str) -> bool:
        return await self._database.read(demos.shows_picture, demo, sha256)

    async def shows_answer(self, demo: Demo, answer: int) -> bool:
        """Whether it stands on the demo's wall, with nothing of it hidden or covered."""
        found = await self._database.read(demos.entries, demo, LOOKED_AT)
        return any(each.shown.answer == answer and not each.shown.hidden and each.shown.pictures for each in found)

    def picture(self, sha256: str) -> Path:
        return self._files.path(sha256)

    async def hide(self, demo: Demo, question: int, hidden: bool) -> bool:
        """Hide a question from the wall, or show it again. False: it is not one of this demo."""
        if not await self._database.read(demos.is_of, demo, question):
            return False
        await self._database.write(demos.hide if hidden else demos.show_again, question)
        return True

    def _state(self, entry: Entry, place: QueuePosition | None) -> WallEntry:
        if entry.shown.finish is not None:
            return WallEntry(entry, entry.sections, "done", None)
        draft = self._dispatcher.growing(entry.shown.answer)
        if draft is None:
            return WallEntry(entry, (), "waiting", place)
        return WallEntry(entry, draft.columns or (AnswerColumn("", draft.text),), "answering", None)


def worth_showing(states: Sequence[WallEntry]) -> tuple[WallEntry, ...]:
    """All that are being answered, those first in line, and the newest finished ones, in the order in which they were asked."""
    line = sorted((each for each in states if each.state == "waiting"), key=_place)[:NEXT]
    done = [each for each in states if each.state == "done"][-DONE:]
    kept = {each.entry.shown.answer for each in (*line, *done)}
    return tuple(each for each in states if each.state == "answering" or each.entry.shown.answer in kept)


def _place(waiting: WallEntry) -> float:
    return waiting.place.position if waiting.place else inf
