"""What commands and the web page do with demos: start and stop one, find its wall, sum it up, export it, vote in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import time

import structlog

from bot.answers.vote_updates import VoteUpdates
from bot.demo.export import write_export
from bot.demo.registry import DemoRegistry
from bot.demo.summary import Summary, summarize
from bot.errors import Refusal
from bot.message import Incoming, Place
from bot.store import demos, votes
from bot.store.database import Database
from bot.store.demos import Demo
from bot.store.pictures import PictureFiles
from bot.texts import Texts

log = structlog.get_logger(__name__)


class DemoService:
    """`page`: the web page's address, set once one is served; `exports`: the folder for exported files."""

    def __init__(
        self, database: Database, files: PictureFiles, texts: Texts, demo_registry: DemoRegistry, vote_updates: VoteUpdates, exports: Path
    ) -> None:
        self._database = database
        self._files = files
        self._texts = texts
        self._demo_registry = demo_registry
        self._vote_updates = vote_updates
        self._exports = exports
        self.page = ""

    def running(self, place: Place) -> Demo | None:
        return self._demo_registry.running(place)

    async def start(self, incoming: Incoming, prompt: str, slow_seconds: float, language: str) -> Demo:
        return await self._demo_registry.start(incoming, prompt, slow_seconds, language)

    async def stop(self, incoming: Incoming) -> Demo:
        demo = await self._demo_registry.stop(incoming.place)
        if demo is None:
            raise Refusal("demo.none")
        return demo

    async def newest(self, incoming: Incoming) -> Demo:
        demo = await self._database.read(demos.newest, incoming.place.channel_key)
        if demo is None:
            raise Refusal("demo.none")
        return demo

    async def summarize(self, demo: Demo) -> Summary:
        return summarize(await self._database.read(demos.entries, demo))

    async def export(self, demo: Demo) -> tuple[Path, ...]:
        """Write the entries that are not hidden as an HTML file and a JSON lines file; their paths."""
        shown = [entry for entry in await self._database.read(demos.entries, demo) if not entry.shown.hidden]
        try:
            return await asyncio.to_thread(write_export, self._exports, demo, shown, self._files, self._texts)
        except OSError as error:
            log.error("export_not_written", reason=str(error))
            raise Refusal("demo.not_written") from error

    def wall(self, demo: Demo) -> str:
        """The address of the demo's wall; empty if no web page is served."""
        return f"{self.page}/wall/{demo.code}" if self.page else ""

    async def vote(self, incoming: Incoming, answer: int | None, column: int) -> None:
        place, person = incoming.place.key, incoming.author.key
        meant = await self._database.read(votes.newest, place) if answer is None else answer
        if meant is None or not await self._database.write(votes.cast, place, meant, person, column, time()):
            raise Refusal("answer.unknown")
        self._vote_updates.votes_changed(meant)
