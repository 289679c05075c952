"""What is written in the stored pictures: read once when it is first needed, and kept in the picture's row, with which it is deleted."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import structlog

from bot.errors import Refusal
from bot.reading.quote import neutralise
from bot.reading.reader import WritingReader
from bot.store import graph
from bot.store.database import Database
from bot.store.graph import Turn
from bot.store.pictures import PictureFiles

SECONDS: Final = 30.0  # that an answer waits for all of its pictures to be read
REMEMBERED: Final = 1_000  # pictures that could not be read: no answer waits for them again

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PictureReading:
    """What is written in a picture; empty = nothing. `spoiler`: the picture is hidden, and so are its words."""

    words: str
    spoiler: bool = False


class PictureWords:
    """The words in pictures, for answers and for `/read`. `reader` None: nothing is read here."""

    def __init__(self, database: Database, files: PictureFiles, reader: WritingReader | None) -> None:
        self._database = database
        self._files = files
        self._reader = reader
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # a picture is read once, whoever waits
        self._unread: OrderedDict[str, None] = OrderedDict()

    async def of(self, sha256: str, whose: str = "") -> str:
        """The words in a stored picture; empty = there are none. Raises Refusal where it can't be read or is not kept."""
        lock = self._turns.setdefault(sha256, asyncio.Lock())
        async with lock:
            words = await self._database.read(graph.words_in, sha256)
            if words is None:
                words = await self.read(await self._load(sha256), whose)
                await self._database.write(graph.keep_words, sha256, words)
            return words

    async def read(self, data: bytes, whose: str = "") -> str:
        """The words in a picture that is not stored. Raises Refusal."""
        if self._reader is None:
            raise Refusal("read.not_here")
        return neutralise(await self._reader.read(data, whose))

    async def of_turns(self, turns: Sequence[Turn]) -> dict[str, str]:
        """By sha256 the words of the pictures that have some: of those that can be read in time."""
        found = {sha256: words for turn in turns for sha256, words in zip(turn.sha256s, turn.words, strict=True)}
        frames = {sha256 for turn in turns for sha256, at in zip(turn.sha256s, turn.seconds, strict=False) if at is not None}
        # Frames of a film show the same words again and again, and so do several parts of a picture: people read them with /read.
        for turn in turns:
            frames.update(turn.sha256s[turn.shown :] if len(turn.sha256s) - turn.shown > 1 else ())
        due = [] if self._reader is None else [sha256 for sha256, words in found.items() if words is None]
        unread = [sha256 for sha256 in due if sha256 not in self._unread and sha256 not in frames]
        try:
            async with asyncio.timeout(SECONDS if unread else None):
                for sha256 in unread:
                    found[sha256] = await self._read_or_note(sha256, turns[-1].person)
        except TimeoutError:
            log.warning("writing_not_read_in_time", seconds=SECONDS)
        return {sha256: words for sha256, words in found.items() if words}

    async def _read_or_note(self, sha256: str, whose: str) -> str:
        try:
            return await self.of(sha256, whose)
        except Refusal as refusal:
            self._unread[sha256] = None
            if len(self._unread) > REMEMBERED:
                self._unread.popitem(last=False)
            log.info("writing_not_read", reason=refusal.key)
            return ""

    async def _load(self, sha256: str) -> bytes:
        try:
            return await self._files.load(sha256)
        except FileNotFoundError:
            raise Refusal("answer.picture_gone") from None
