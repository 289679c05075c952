"""Deletes what people want forgotten: stops its unfinished answers, then deletes it from the database and from the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import time

from bot.demo.export import DEMO_FILES
from bot.dispatch.dispatcher import Dispatcher
from bot.message import Place
from bot.store import deliveries, demos, forgetting, graph, jobs
from bot.store.database import Database
from bot.store.forgetting import ForgetPreview, Forgotten
from bot.store.pictures import PictureFiles
from bot.texts import Texts

SENT_SECONDS = 60.0  # after which a file that was written to be sent has been


class DeleteService:
    """Deletes messages with their answers and pictures. `nameless` is called when people's names and settings were deleted, too."""

    def __init__(
        self, database: Database, files: PictureFiles, dispatcher: Dispatcher, texts: Texts, exports: Path, nameless: Callable[[], None]
    ) -> None:
        self._database = database
        self._files = files
        self._dispatcher = dispatcher
        self._exports = exports
        self._nameless = nameless
        self._blank = partial(texts.render, key="forget.quoted")

    async def held(self, person: str) -> ForgetPreview:
        """How much `person` would delete."""
        return await self._database.read(forgetting.held, person)

    async def held_here(self, place: Place, person: str | None) -> ForgetPreview:
        """How much `here` would delete."""
        key, places = await self._meant(place, person)
        return await self._database.read(forgetting.held_in, places, key)

    async def person(self, person: str) -> Forgotten:
        """Delete all that a person (by key) wrote and showed, everywhere."""
        await self._dispatcher.stop(await self._database.read(jobs.unfinished, person=person))
        messages, pictures = await self._database.write(forgetting.forget, person, self._blank)
        self._nameless()
        return await self._delete(messages, pictures)

    async def here(self, place: Place, person: str | None) -> Forgotten:
        """Delete what was said in this channel; or what one person (by the platform's id) said on this server."""
        key, places = await self._meant(place, person)
        await self._dispatcher.stop(await self._database.read(jobs.unfinished, places=places, person=key))
        messages, pictures = await self._database.write(forgetting.forget_in, places, key, self._blank)
        if key is None:
            await self._database.write(demos.forget_in, place.channel_key)
        return await self._delete(messages, pictures)

    async def withdraw(self, place: Place, message_id: str, *, answers: bool) -> tuple[str, ...]:
        """See bot/platform.py."""
        if await self._database.read(graph.find, place.key, message_id) is None:
            return ()  # most messages that people delete were never for us
        if ours := await self._database.read(deliveries.answers_in, place, message_id):
            await self._dispatcher.stop(ours)
            return ()
        known = await self._database.read(forgetting.answers_to, place.key, message_id)
        unfinished = await self._database.read(jobs.unfinished, answers=known)
        await self._dispatcher.stop(unfinished)
        gone = await self._database.write(forgetting.withdraw, place.key, message_id, known if answers else unfinished)
        await self._files.delete(gone.sha256s)
        await self._database.purge()
        return gone.message_ids

    async def _meant(self, place: Place, person: str | None) -> tuple[str | None, tuple[str, ...]]:
        """The key of the person, and the keys of the places to delete in."""
        key = f"{place.platform}:{person}" if person else None
        return key, await self._database.read(forgetting.places_around, place, key is not None)

    async def _delete(self, messages: int, pictures: Sequence[str]) -> Forgotten:
        await self._files.delete(pictures)
        await asyncio.to_thread(delete_exports, self._exports, time())
        await self._database.purge()
        return Forgotten(messages, len(pictures))


def delete_exports(folder: Path, now: float) -> None:
    """Delete the exports of demos, which may be written anew, and whatever else has gone out."""
    for path in folder.glob("*"):
        if path.name.startswith(DEMO_FILES) or path.stat().st_mtime < now - SENT_SECONDS:
            path.unlink(missing_ok=True)
