"""A person's conversations on the web page: search, open, rename, export and delete them."""

from __future__ import annotations

from pathlib import Path

from bot.api import Remembered
from bot.conversations.export import write_conversation
from bot.conversations.page_messages import remembered
from bot.dispatch.dispatcher import Dispatcher
from bot.message import Place
from bot.store import conversations, forgetting, history, jobs
from bot.store.conversations import Listed
from bot.store.database import Database
from bot.store.forgetting import Forgotten
from bot.store.pictures import PictureFiles
from bot.texts import Texts

TITLE_LENGTH = 200
EVERYTHING = 100_000  # messages of one conversation


class ConversationList:
    """Conversations are named by their key. An unknown key, or a deleted conversation's, is an empty conversation."""

    def __init__(self, database: Database, files: PictureFiles, dispatcher: Dispatcher, texts: Texts) -> None:
        self._database = database
        self._files = files
        self._dispatcher = dispatcher
        self._texts = texts

    async def find(self, place: Place, search: str = "", before: int | None = None, limit: int = 50) -> tuple[Listed, ...]:
        """A place's conversations, the most recent first; see bot/store/conversations.py."""
        return await self._database.read(conversations.listed, place.key, search.strip(), before, limit)

    async def messages(self, place: Place, key: str, limit: int = EVERYTHING) -> tuple[Remembered, ...]:
        """The newest messages of one conversation, all branches, oldest first."""
        found = await self._database.read(history.messages, place.key, limit, key)
        return tuple(remembered(self._texts, message) for message in found)

    async def rename(self, place: Place, key: str, title: str) -> bool:
        """Set a title; an empty one restores the first question as title. False: there is no such conversation."""
        return await self._database.write(conversations.rename, place.key, key, title.strip()[:TITLE_LENGTH])

    async def forget(self, place: Place, key: str) -> Forgotten:
        """Stop what is being answered in a conversation and delete it, with pictures that no other message shows."""
        await self._dispatcher.stop(await self._database.read(jobs.unfinished, places=[place.key], conversation=key))
        messages, pictures = await self._database.write(forgetting.forget_conversation, place.key, key)
        await self._files.delete(pictures)
        await self._database.purge()
        return Forgotten(messages, len(pictures))

    async def export(self, place: Place, key: str, file: Path) -> bool:
        """Write a zip of Markdown, JSON and the pictures. False, and no file: there is no such conversation."""
        found = await self.messages(place, key)
        if not found:
            return False
        await write_conversation(file, found, self._files)
        return True
